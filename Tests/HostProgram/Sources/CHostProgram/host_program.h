// System calls that Swift's Glibc module does not have.
#ifndef HOST_PROGRAM_H
#define HOST_PROGRAM_H

#include <fcntl.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

// Hidden behind _GNU_SOURCE, which would change the types Swift sees.
int pipe2(int[2], int);

static inline int host_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

static inline int host_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

#endif
