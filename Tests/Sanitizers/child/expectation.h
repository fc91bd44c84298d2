// What is expected of a call of procctl_child_spawn, and whether it came true.
#ifndef EXPECTATION_H
#define EXPECTATION_H

#include "CProcCtlChild.h"
#include "denied_call.h"

// A set-up that changes nothing and would run this command.
struct procctl_child_setup plain_setup(char *const *command);

// Counts an expectation, and says what is the matter if it does not hold.
void expect(const char *name, int holds, const char *what);

// The child runs, its program prints to descriptor 1, and each of the lines
// (ended by NULL) is in what it prints, with the child's number for %d.
void expect_lines(const char *name, struct procctl_child_setup setup, const char *const *lines);

// The set-up fails at the stage, with the error.
void expect_failure(const char *name, struct procctl_child_setup setup, int stage, int error);

// The same, in a process in which a system call fails with EPERM.
void expect_failure_denied(const char *name, struct procctl_child_setup setup, int stage, long call,
                           struct denied_argument argument);

// Descriptors that are open in this process, so that a leak shows.
int open_descriptors(void);

// Says how many expectations there were; returns main's status.
int summary(void);

extern char *const print_facts[];

#endif
