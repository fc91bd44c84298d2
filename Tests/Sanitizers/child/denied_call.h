// Makes one system call fail with an errno of our choice, as a kernel or a
// container may. Needs no rights, and cannot be undone: use it in a child.
#ifndef DENIED_CALL_H
#define DENIED_CALL_H

// One argument has to have a value for the call to be denied.
struct denied_argument {
    int position;  // -1: whatever the arguments
    unsigned value;
};

// Returns 0, or -1 with errno set (seccomp(2)).
int deny_call(long number, struct denied_argument argument, int error);

#endif
