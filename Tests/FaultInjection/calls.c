// The calls themselves: each asks what is to become of it, and then is the real
// one, or fails. What closes a descriptor closes it even so, as close(2) does.
#define _GNU_SOURCE
#include "FaultInjection.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))fault_real(FAULT_##name))
#define FAULT_HERE(name, text, number) \
    struct fault fault = fault_at(FAULT_##name, __builtin_return_address(0), text, number)

// A call with its result, parameters, arguments, and what is listed of it.
#define CALL(result, name, parameters, arguments, text, number, failure) \
    result name parameters {                                             \
        FAULT_HERE(name, text, number);                                  \
        if (fault.error != 0) {                                          \
            errno = fault.error;                                         \
            return failure;                                              \
        }                                                                \
        return REAL(name) arguments;                                     \
    }

// The same for one that moves bytes, of which it can do half.
#define TRANSFER(result, name, parameters, arguments, count, number) \
    result name parameters {                                         \
        FAULT_HERE(name, NULL, number);                              \
        if (fault.error != 0) {                                      \
            errno = fault.error;                                     \
            return -1;                                               \
        }                                                            \
        if (fault.is_short && count > 1) count /= 2;                 \
        return REAL(name) arguments;                                 \
    }

// MARK: Files

CALL(int, access, (const char *path, int mode), (path, mode), path, 0, -1)
CALL(int, chdir, (const char *path), (path), path, 0, -1)
CALL(int, chmod, (const char *path, mode_t mode), (path, mode), path, 0, -1)
CALL(int, dup2, (int from, int to), (from, to), NULL, from, -1)
CALL(int, flock, (int fd, int operation), (fd, operation), NULL, fd, -1)
CALL(int, fstat, (int fd, struct stat *status), (fd, status), NULL, fd, -1)
CALL(int, ftruncate, (int fd, off_t length), (fd, length), NULL, fd, -1)
CALL(int, lstat, (const char *path, struct stat *status), (path, status), path, 0, -1)
CALL(int, mkdir, (const char *path, mode_t mode), (path, mode), path, 0, -1)
CALL(DIR *, opendir, (const char *path), (path), path, 0, NULL)
CALL(int, pipe2, (int ends[2], int flags), (ends, flags), NULL, flags, -1)
CALL(ssize_t, readlink, (const char *path, char *target, size_t size), (path, target, size), path, 0, -1)
CALL(ssize_t, readlinkat, (int fd, const char *path, char *target, size_t size), (fd, path, target, size), path, 0,
     -1)
CALL(int, rmdir, (const char *path), (path), path, 0, -1)
CALL(int, stat, (const char *path, struct stat *status), (path, status), path, 0, -1)
CALL(int, unlink, (const char *path), (path), path, 0, -1)
CALL(struct dirent *, readdir, (DIR *directory), (directory), NULL, dirfd(directory), NULL)
TRANSFER(ssize_t, read, (int fd, void *buffer, size_t count), (fd, buffer, count), count, fd)
TRANSFER(ssize_t, write, (int fd, const void *buffer, size_t count), (fd, buffer, count), count, fd)

int close(int fd) {
    FAULT_HERE(close, NULL, fd);
    int result = REAL(close)(fd);
    if (fault.error == 0) return result;
    errno = fault.error;
    return -1;
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    FAULT_HERE(open, path, 0);
    if (fault.error == 0) return REAL(open)(path, flags, mode);
    errno = fault.error;
    return -1;
}

int openat(int directory, const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    FAULT_HERE(openat, path, 0);
    if (fault.error == 0) return REAL(openat)(directory, path, flags, mode);
    errno = fault.error;
    return -1;
}

int fcntl(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    FAULT_HERE(fcntl, NULL, fd);
    if (fault.error == 0) return REAL(fcntl)(fd, command, argument);
    errno = fault.error;
    return -1;
}

int ioctl(int fd, unsigned long request, ...) {
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    FAULT_HERE(ioctl, NULL, fd);
    if (fault.error == 0) return REAL(ioctl)(fd, request, argument);
    errno = fault.error;
    return -1;
}

// Only the stack for a child: all other memory is the language's own affair.
void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
    if (flags & MAP_STACK) {
        FAULT_HERE(mmap, "stack", 0);
        if (fault.error != 0) {
            errno = fault.error;
            return MAP_FAILED;
        }
    }
    return REAL(mmap)(address, length, protection, flags, fd, offset);
}

// MARK: Waiting

CALL(int, epoll_create1, (int flags), (flags), NULL, flags, -1)
CALL(int, epoll_ctl, (int epoll, int operation, int fd, struct epoll_event *event), (epoll, operation, fd, event),
     NULL, fd, -1)
CALL(int, epoll_wait, (int epoll, struct epoll_event *events, int count, int timeout),
     (epoll, events, count, timeout), NULL, timeout, -1)
CALL(int, poll, (struct pollfd *watched, nfds_t count, int timeout), (watched, count, timeout), NULL, timeout, -1)
CALL(int, eventfd, (unsigned int count, int flags), (count, flags), NULL, flags, -1)
CALL(int, signalfd, (int fd, const sigset_t *set, int flags), (fd, set, flags), NULL, fd, -1)
CALL(int, timerfd_create, (clockid_t clock, int flags), (clock, flags), NULL, clock, -1)
CALL(int, timerfd_settime, (int fd, int flags, const struct itimerspec *value, struct itimerspec *old),
     (fd, flags, value, old), NULL, fd, -1)

// MARK: Processes

CALL(int, execve, (const char *path, char *const argv[], char *const envp[]), (path, argv, envp), path, 0, -1)
CALL(int, kill, (pid_t pid, int signal), (pid, signal), NULL, signal, -1)
CALL(int, setpgid, (pid_t pid, pid_t group), (pid, group), NULL, group, -1)
CALL(pid_t, setsid, (void), (), NULL, 0, -1)
CALL(int, setpriority, (__priority_which_t which, id_t who, int value), (which, who, value), NULL, value, -1)
CALL(int, setrlimit, (__rlimit_resource_t resource, const struct rlimit *limit), (resource, limit), NULL,
     (long)resource, -1)
CALL(int, sigprocmask, (int how, const sigset_t *set, sigset_t *old), (how, set, old), NULL, how, -1)
CALL(int, tcsetpgrp, (int fd, pid_t group), (fd, group), NULL, group, -1)
CALL(int, waitid, (idtype_t type, id_t id, siginfo_t *information, int options), (type, id, information, options),
     NULL, id, -1)
CALL(pid_t, waitpid, (pid_t pid, int *status, int options), (pid, status, options), NULL, pid, -1)

// Not by errno, but as its result.
int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]) {
    FAULT_HERE(posix_spawn, path, 0);
    if (fault.error != 0) return fault.error;
    return REAL(posix_spawn)(pid, path, actions, attributes, argv, envp);
}

int clone(int (*function)(void *), void *stack, int flags, void *argument, ...) {
    va_list rest;
    va_start(rest, argument);
    pid_t *parent = va_arg(rest, pid_t *);
    void *storage = va_arg(rest, void *);
    pid_t *child = va_arg(rest, pid_t *);
    va_end(rest);
    FAULT_HERE(clone, NULL, flags);
    if (fault.error == 0) return REAL(clone)(function, stack, flags, argument, parent, storage, child);
    errno = fault.error;
    return -1;
}

int prctl(int option, ...) {
    va_list rest;
    va_start(rest, option);
    unsigned long a = va_arg(rest, unsigned long), b = va_arg(rest, unsigned long);
    unsigned long c = va_arg(rest, unsigned long), d = va_arg(rest, unsigned long);
    va_end(rest);
    FAULT_HERE(prctl, NULL, option);
    if (fault.error == 0) return REAL(prctl)(option, a, b, c, d);
    errno = fault.error;
    return -1;
}

static enum fault_call name_of(long number) {
    switch (number) {
    case SYS_capset: return FAULT_capset;
    case SYS_close_range: return FAULT_close_range;
    case SYS_getdents64: return FAULT_getdents64;
    case SYS_pidfd_open: return FAULT_pidfd_open;
    case SYS_pidfd_send_signal: return FAULT_pidfd_send_signal;
    case SYS_rt_sigaction: return FAULT_rt_sigaction;
    case SYS_setgroups: return FAULT_setgroups;
    case SYS_setresgid: return FAULT_setresgid;
    case SYS_setresuid: return FAULT_setresuid;
    default: return FAULT_syscall;
    }
}

long syscall(long number, ...) {
    va_list rest;
    va_start(rest, number);
    long a = va_arg(rest, long), b = va_arg(rest, long), c = va_arg(rest, long);
    long d = va_arg(rest, long), e = va_arg(rest, long), f = va_arg(rest, long);
    va_end(rest);
    enum fault_call name = name_of(number);
    struct fault fault = fault_at(name, __builtin_return_address(0), NULL, name == FAULT_syscall ? number : a);
    if (fault.error == 0) return REAL(syscall)(number, a, b, c, d, e, f);
    errno = fault.error;
    return -1;
}

// MARK: Sockets

// glibc declares addresses as transparent unions, which a definition cannot be written with.
#define ADDRESS __CONST_SOCKADDR_ARG
CALL(int, accept4, (int fd, __SOCKADDR_ARG address, socklen_t *length, int flags), (fd, address, length, flags),
     NULL, fd, -1)
CALL(int, bind, (int fd, ADDRESS address, socklen_t length), (fd, address, length), NULL, fd, -1)
CALL(int, connect, (int fd, ADDRESS address, socklen_t length), (fd, address, length), NULL, fd, -1)
CALL(int, getsockname, (int fd, __SOCKADDR_ARG address, socklen_t *length), (fd, address, length), NULL, fd, -1)
CALL(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *length),
     (fd, level, name, value, length), NULL, fd, -1)
CALL(int, listen, (int fd, int backlog), (fd, backlog), NULL, fd, -1)
CALL(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags), NULL, fd, -1)
CALL(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags), NULL, fd, -1)
CALL(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t length),
     (fd, level, name, value, length), NULL, fd, -1)
CALL(int, socket, (int family, int type, int protocol), (family, type, protocol), NULL, family, -1)
TRANSFER(ssize_t, recv, (int fd, void *buffer, size_t count, int flags), (fd, buffer, count, flags), count, fd)
TRANSFER(ssize_t, recvfrom,
         (int fd, void *buffer, size_t count, int flags, __SOCKADDR_ARG address, socklen_t *length),
         (fd, buffer, count, flags, address, length), count, fd)
TRANSFER(ssize_t, send, (int fd, const void *buffer, size_t count, int flags), (fd, buffer, count, flags), count,
         fd)
