#ifndef CPROCCTL_ARGUMENTS_H
#define CPROCCTL_ARGUMENTS_H

// The arguments as execve passed them. Swift reads /proc/self/cmdline, which is
// empty where /proc is not mounted.
int procctl_argument_count(void);
const char *procctl_argument(int index);

#endif
