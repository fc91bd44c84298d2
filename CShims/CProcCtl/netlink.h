// The kernel's socket table over netlink: sock_diag(7), netlink(7). The types
// are the kernel's own; what stands here is the request as it goes over the
// wire and the constants that are macros with casts, which Swift cannot see.
#ifndef CPROCCTL_NETLINK_H
#define CPROCCTL_NETLINK_H

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

// A dump request for sockets whose local port lies in a range. The filter is
// inet_diag bytecode of two conditions; each takes two operations, the second
// of which only carries the port.
struct cprocctl_inet_diag_range_request {
    struct nlmsghdr header;
    struct inet_diag_req_v2 request;
    struct nlattr attribute;
    struct inet_diag_bc_op operations[4];
};

// netinet/tcp.h has these as an enum, but not the last one: a socket that is
// bound and neither listens nor is connected, a state sock_diag alone knows
// (Linux 6.8).
enum {
    CPROCCTL_TCP_NEW_SYN_RECEIVED = 12,
    CPROCCTL_TCP_BOUND_INACTIVE = 13,
};

#endif
