// What Swift cannot call by itself: variadic functions.
#ifndef CHOST_H
#define CHOST_H
#include <sys/types.h>

int chost_pidfd_open(pid_t pid);
int chost_exists(int pidfd);
int chost_become_subreaper(void);

#endif
