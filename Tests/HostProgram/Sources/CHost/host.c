#define _GNU_SOURCE
#include "CHost.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int chost_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

// True for a zombie too, false once it is reaped (pidfd_send_signal(2)).
int chost_exists(int pidfd) { return syscall(SYS_pidfd_send_signal, pidfd, 0, (void *)0, 0) == 0; }

int chost_become_subreaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL); }
