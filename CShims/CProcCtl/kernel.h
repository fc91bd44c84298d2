// One inline function over one kernel or libc call each, for what Swift cannot
// call by itself: variadic functions, macros, and calls glibc does not wrap.
// No policy and no state here: every importing module compiles its own copy.
// _GNU_SOURCE is never defined in this header, because it would change the
// types Swift's Glibc module sees; constants it hides are spelled out below.
#ifndef CPROCCTL_KERNEL_H
#define CPROCCTL_KERNEL_H

// The types of libc stay those of Swift's own module: which of two modules owns
// struct stat would otherwise depend on the order files are compiled in.
#pragma clang module import SwiftGlibc

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

// posix_spawn(3). The first is glibc's own value, hidden behind _GNU_SOURCE.
enum {
    CPROCCTL_SPAWN_SETSID = 0x80,
    CPROCCTL_SPAWN_SETPGROUP = 0x02,
    CPROCCTL_SPAWN_SETSIGDEF = 0x04,
    CPROCCTL_SPAWN_SETSIGMASK = 0x08,
};

// glibc hides these behind _GNU_SOURCE too.
int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *, const char *);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *, int);
int posix_spawn_file_actions_addtcsetpgrp_np(posix_spawn_file_actions_t *, int);

int pipe2(int[2], int);
int setresuid(uid_t, uid_t, uid_t);
int setresgid(gid_t, gid_t, gid_t);
int getresuid(uid_t *, uid_t *, uid_t *);
int getresgid(gid_t *, gid_t *, gid_t *);
int setgroups(size_t, const gid_t *);

// SOCK_STREAM and SOCK_CLOEXEC are an enumeration Swift sees in two ways.
static inline int cprocctl_socket_pair(int ends[2]) {
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
}

// Close-on-exec and non-blocking (accept(2)).
static inline int cprocctl_accept(int listener) {
    return (int)syscall(SYS_accept4, listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

// The next entries of a directory, as many as the buffer holds (getdents(2)).
static inline ssize_t cprocctl_read_directory(int directory, void *buffer, size_t size) {
    return syscall(SYS_getdents64, directory, buffer, size);
}

// A file in memory that closes at an exec (memfd_create(2)).
static inline int cprocctl_memory_file(const char *name) {
    return (int)syscall(SYS_memfd_create, name, 1U /* MFD_CLOEXEC */);
}

// pidfd_send_signal(2) and pidfd_open(2).
enum {
    CPROCCTL_PIDFD_NONBLOCK = 04000,
    CPROCCTL_PIDFD_SIGNAL_THREAD = 1 << 0,
    CPROCCTL_PIDFD_SIGNAL_THREAD_GROUP = 1 << 1,
    CPROCCTL_PIDFD_SIGNAL_PROCESS_GROUP = 1 << 2,  // Linux 6.9
};

enum { CPROCCTL_P_ALL = 0, CPROCCTL_P_PID = 1, CPROCCTL_P_PGID = 2, CPROCCTL_P_PIDFD = 3 };

// struct pidfd_info of <linux/pidfd.h>, Linux 6.13 (exit fields 6.15).
struct cprocctl_pidfd_info {
    uint64_t mask;
    uint64_t cgroupid;
    uint32_t pid, tgid, ppid;
    uint32_t ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    int32_t exit_code;
    uint32_t coredump_mask;
    uint32_t spare1;
};
enum {
    CPROCCTL_PIDFD_INFO_PID = 1 << 0,
    CPROCCTL_PIDFD_INFO_EXIT = 1 << 3,
};
#define CPROCCTL_PIDFD_GET_INFO _IOWR(0xFF, 11, struct cprocctl_pidfd_info)

static inline int cprocctl_pidfd_open(pid_t pid, unsigned int flags) {
    return (int)syscall(SYS_pidfd_open, pid, flags);
}

static inline int cprocctl_pidfd_send_signal(int pidfd, int signal, unsigned int flags) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, (void *)0, flags);
}

static inline int cprocctl_pidfd_get_info(int pidfd, struct cprocctl_pidfd_info *info) {
    return ioctl(pidfd, CPROCCTL_PIDFD_GET_INFO, info);
}

static inline int cprocctl_waitid(int id_type, id_t id, siginfo_t *info, int options) {
    return waitid((idtype_t)id_type, id, info, options);
}

// siginfo_t keeps these in a union behind macros.
static inline pid_t cprocctl_siginfo_pid(const siginfo_t *info) { return info->si_pid; }
static inline uid_t cprocctl_siginfo_uid(const siginfo_t *info) { return info->si_uid; }
static inline int cprocctl_siginfo_status(const siginfo_t *info) { return info->si_status; }
static inline int cprocctl_siginfo_code(const siginfo_t *info) { return info->si_code; }

static inline int cprocctl_set_child_subreaper(int on) {
    return prctl(PR_SET_CHILD_SUBREAPER, (unsigned long)on, 0UL, 0UL, 0UL);
}

static inline int cprocctl_get_child_subreaper(int *on) {
    return prctl(PR_GET_CHILD_SUBREAPER, (unsigned long)on, 0UL, 0UL, 0UL);
}

static inline int cprocctl_set_no_new_privileges(void) {
    return prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL);
}

static inline int cprocctl_set_parent_death_signal(int signal) {
    return prctl(PR_SET_PDEATHSIG, (unsigned long)signal, 0UL, 0UL, 0UL);
}

static inline int cprocctl_get_parent_death_signal(int *signal) {
    return prctl(PR_GET_PDEATHSIG, signal, 0UL, 0UL, 0UL);
}

static inline int cprocctl_set_keep_capabilities(int on) {
    return prctl(PR_SET_KEEPCAPS, (unsigned long)on, 0UL, 0UL, 0UL);
}

static inline int cprocctl_clear_ambient_capabilities(void) {
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0UL, 0UL, 0UL);
}

static inline int cprocctl_get_dumpable(void) { return prctl(PR_GET_DUMPABLE, 0UL, 0UL, 0UL, 0UL); }
static inline int cprocctl_set_dumpable(int on) {
    return prctl(PR_SET_DUMPABLE, (unsigned long)on, 0UL, 0UL, 0UL);
}

static inline int cprocctl_set_process_name(const char *name) {
    return prctl(PR_SET_NAME, (unsigned long)name, 0UL, 0UL, 0UL);
}

static inline int cprocctl_real_time_signal_minimum(void) { return SIGRTMIN; }
static inline int cprocctl_real_time_signal_maximum(void) { return SIGRTMAX; }

// openat2(2), Linux 5.6: a directory below another one, not through a link, and not on another mount.
static inline int cprocctl_open_directory_beneath(int directory, const char *name) {
    struct { uint64_t flags, mode, resolve; } how = {
        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0,
        0x01 /* NO_XDEV */ | 0x02 /* NO_MAGICLINKS */ | 0x04 /* NO_SYMLINKS */ | 0x08 /* BENEATH */};
    return (int)syscall(437 /* SYS_openat2 */, directory, name, &how, sizeof how);
}

// Variadic, or commands by number: IPC_RMID of shmctl(2), semctl(2), msgctl(2).
static inline int cprocctl_remove_shared_memory(int identifier) {
    return (int)syscall(SYS_shmctl, identifier, 0, (void *)0);
}
static inline int cprocctl_remove_semaphores(int identifier) {
    return (int)syscall(SYS_semctl, identifier, 0, 0, (void *)0);
}
static inline int cprocctl_remove_message_queue(int identifier) {
    return (int)syscall(SYS_msgctl, identifier, 0, (void *)0);
}

// struct timespec is claimed by more than one of Swift's own modules, and which
// one wins depends on import order; nanoseconds are nobody's.
static inline int64_t cprocctl_monotonic_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t cprocctl_wall_clock_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int cprocctl_set_receive_timeout(int fd, int seconds) {
    struct timeval limit = {.tv_sec = seconds, .tv_usec = 0};
    return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

// The calling thread before all that are not of real time; its children are not (sched(7)).
static inline int cprocctl_take_precedence(void) {
    struct sched_param first = {.sched_priority = 1};
    return sched_setscheduler(0, SCHED_RR | 0x40000000 /* SCHED_RESET_ON_FORK */, &first);
}

static inline int cprocctl_give_precedence_back(void) {
    struct sched_param none = {.sched_priority = 0};
    return sched_setscheduler(0, SCHED_OTHER | 0x40000000 /* may not be taken back without rights */, &none);
}

// Whether the calling thread is scheduled as most are.
static inline int cprocctl_is_without_precedence(void) {
    return (sched_getscheduler(0) & ~0x40000000) == SCHED_OTHER;
}

static inline int cprocctl_set_send_timeout(int fd, int seconds) {
    struct timeval limit = {.tv_sec = seconds, .tv_usec = 0};
    return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

// Arms the timer for an instant of the monotonic clock; 0 disarms it.
static inline int cprocctl_timerfd_arm(int fd, int64_t nanoseconds) {
    struct itimerspec value = {
        .it_value = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000}};
    return timerfd_settime(fd, TFD_TIMER_ABSTIME, &value, (struct itimerspec *)0);
}

static inline int cprocctl_epoll_add(int epoll, int fd, uint32_t events) {
    struct epoll_event event = {.events = events, .data = {.fd = fd}};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static inline int cprocctl_epoll_modify(int epoll, int fd, uint32_t events) {
    struct epoll_event event = {.events = events, .data = {.fd = fd}};
    return epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

static inline int cprocctl_epoll_remove(int epoll, int fd) {
    return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, (struct epoll_event *)0);
}

// The packed layout of epoll_event on x86-64 is not visible to Swift.
static inline int cprocctl_epoll_event_fd(const struct epoll_event *event) { return event->data.fd; }
static inline uint32_t cprocctl_epoll_event_events(const struct epoll_event *event) {
    return event->events;
}

// NULL after clearenv(3), which Swift's view of `environ` cannot express.
extern char **environ;
static inline char **_Nullable cprocctl_environment(void) { return environ; }

static inline int cprocctl_fcntl(int fd, int command, int argument) { return fcntl(fd, command, argument); }
static inline int cprocctl_ioctl_int(int fd, unsigned long request, int *argument) {
    return ioctl(fd, request, argument);
}
// The size of a terminal (TIOCGWINSZ, ioctl_tty(2)).
static inline int cprocctl_window_size(int fd, int *columns, int *rows) {
    struct winsize size = {0};
    int result = ioctl(fd, TIOCGWINSZ, &size);
    *columns = size.ws_col;
    *rows = size.ws_row;
    return result;
}
static inline int cprocctl_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }

// When it was last written to, since 1970; -1 if that is not to be had.
static inline int64_t cprocctl_modified_nanoseconds(const char *path) {
    struct stat status;
    if (lstat(path, &status) != 0) return -1;
    return (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
}

// The magic number of the file system at the path (statfs(2)); -1 if it cannot be asked.
static inline long cprocctl_file_system_type(const char *path) {
    struct statfs system;
    return statfs(path, &system) == 0 ? (long)system.f_type : -1;
}

// The first parameter is an enum only where _GNU_SOURCE is.
static inline int cprocctl_getrlimit(int resource, struct rlimit *limit) { return getrlimit(resource, limit); }

static inline long cprocctl_getxattr(const char *path, const char *name, void *value, size_t size) {
    return getxattr(path, name, value, size);
}

static inline int cprocctl_close_range(unsigned int first, unsigned int last, unsigned int flags) {
    return (int)syscall(SYS_close_range, first, last, flags);
}

#endif
