#ifndef CPROCCTL_LAST_RESORT_H
#define CPROCCTL_LAST_RESORT_H

#include <stddef.h>
#include <sys/types.h>

// Ends this process with the status after that many milliseconds, wherever it hangs then but in a call
// that no signal interrupts (state D, proc(5)). One line on standard error says so, if there is room.
// By ITIMER_REAL, which takes no memory, thread or descriptor and cannot fail; time is the monotonic
// clock's. Called again it starts anew; 0 milliseconds call it off.
void procctl_exit_within(int milliseconds, int status);

// What dies with this process if it dies of a fault of its own (SIGSEGV, SIGBUS, SIGILL, SIGFPE,
// SIGABRT, SIGSYS, SIGTRAP): process groups and a cgroup are killed, and then the signal does what it
// would have done. `cgroup_kill` is an open cgroup.kill (cgroups(7)), or -1. Room for `count` groups,
// all empty at first; their leaders must not have been reaped, for that is what keeps the number theirs.
//
// 0, or an errno.
int procctl_fault_prepare(size_t count, int cgroup_kill);
void procctl_fault_group(size_t index, pid_t group);
// Restores what the signals did before.
void procctl_fault_forget(void);

#endif
