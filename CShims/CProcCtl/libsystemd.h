// libsystemd as it is; its variadic functions have non-variadic twins
// (sd_notify, sd_journal_sendv) that Swift can call.
#ifndef CPROCCTL_LIBSYSTEMD_H
#define CPROCCTL_LIBSYSTEMD_H

#include <systemd/sd-daemon.h>
#include <systemd/sd-journal.h>

#endif
