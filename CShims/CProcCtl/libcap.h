// libcap as it is. What runs in the child between fork and exec uses the raw
// system calls instead (CProcCtlChild): libcap is not async-signal-safe.
#ifndef CPROCCTL_LIBCAP_H
#define CPROCCTL_LIBCAP_H

#include <sys/capability.h>

#endif
