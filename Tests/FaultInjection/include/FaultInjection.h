// A library to preload (LD_PRELOAD, ld.so(8)) that makes chosen libc calls of
// procctl fail, wait, or do less than asked, and lists the calls it saw.
//
// One variable of the environment says what: clauses separated by `;`.
//
//   PROCCTL_FAULTS = CLAUSE[;CLAUSE]...
//   record=PATH            lists the calls in this file, a line each: CALL INDEX DETAIL,
//                          and behind a call that was tampered with ` !WHAT`
//   program=NAME           whose calls they are: the program of this name; procctl if not given
//   after=PATH             tampers with nothing, and counts for nobody's WHEN, before this file is there
//   at-exit=hang           makes exit(3) hang, in a destructor of this library
//   CALL[~TEXT]@WHEN=WHAT  tampers with these calls; with ~TEXT only with those whose
//                          detail (a path, a descriptor, a pid) contains it
//     WHEN  N    the N-th of them, counted from 1
//           N+   that one and all that follow
//           %N   every N-th
//     WHAT  an errno by its name; `short` for half of the bytes asked for;
//           `delay:MS` to wait that many milliseconds first; `crash:NAME` to die of a fault
//           where the call is made: ILL, SEGV or ABRT
//
// A call made by way of syscall(2) goes by its own name, or by `syscall`.
//
// Only what the program's own code calls counts, not what libraries call. It
// removes its variable and LD_PRELOAD from the environment before main, so what
// the program starts is left alone. Everything that runs per call is
// async-signal-safe: the child between clone(CLONE_VM) and execve goes through
// here too, on memory that it shares. A clause that makes no sense ends the
// program with status 97: a typing error must not look like a clean run.
#ifndef FAULT_INJECTION_H
#define FAULT_INJECTION_H

#include <stddef.h>

#define FAULT_CALLS(X)                                                                           \
    X(accept4) X(access) X(bind) X(capset) X(chdir) X(chmod) X(clone) X(close) X(close_range)    \
    X(connect) X(dup2) X(epoll_create1) X(epoll_ctl) X(epoll_wait) X(eventfd) X(execve)          \
    X(fcntl) X(flock) X(fstat) X(ftruncate) X(getdents64) X(getsockname) X(getsockopt) X(ioctl) X(kill) \
    X(listen) X(lstat) X(mkdir) X(mmap) X(open) X(openat) X(opendir) X(pidfd_open)               \
    X(pidfd_send_signal) X(pipe2) X(posix_spawn) X(poll) X(prctl) X(read) X(readdir) X(readlink)         \
    X(readlinkat) X(recv) X(recvfrom) X(recvmsg) X(rmdir) X(rt_sigaction) X(send) X(sendmsg)     \
    X(setgroups) X(setpgid) X(setpriority) X(setresgid) X(setresuid) X(setrlimit) X(setsid)      \
    X(setsockopt) X(signalfd) X(sigprocmask) X(socket) X(stat) X(syscall) X(tcsetpgrp)           \
    X(timerfd_create) X(timerfd_settime) X(unlink) X(waitid) X(waitpid) X(write)

enum fault_call {
#define FAULT_NAME(name) FAULT_##name,
    FAULT_CALLS(FAULT_NAME)
#undef FAULT_NAME
    FAULT_CALL_COUNT
};

struct fault {
    int error;
    int is_short;
};

// Counts the call, lists it, waits if it is to wait, and says what else is to become of it.
struct fault fault_at(enum fault_call call, const void *caller, const char *text, long number);

// The next definition of the call after ours.
void *fault_real(enum fault_call call);

#endif
