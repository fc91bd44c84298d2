#include "denied_call.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define SKIP_UNLESS(value, lines) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (lines))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))

int deny_call(long number, struct denied_argument argument, int error) {
    // The lower half of the argument; both machines Swift runs on are little-endian.
    unsigned position = argument.position < 0 ? 0 : (unsigned)argument.position;
    unsigned offset = offsetof(struct seccomp_data, args) + 8 * position;
    struct sock_filter any[] = {
        LOAD(offsetof(struct seccomp_data, nr)),
        SKIP_UNLESS((unsigned)number, 1),
        RETURN(SECCOMP_RET_ERRNO | (unsigned)error),
        RETURN(SECCOMP_RET_ALLOW),
    };
    struct sock_filter one[] = {
        LOAD(offsetof(struct seccomp_data, nr)),
        SKIP_UNLESS((unsigned)number, 3),
        LOAD(offset),
        SKIP_UNLESS(argument.value, 1),
        RETURN(SECCOMP_RET_ERRNO | (unsigned)error),
        RETURN(SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof any / sizeof *any, .filter = any};
    if (argument.position >= 0)
        program = (struct sock_fprog){.len = sizeof one / sizeof *one, .filter = one};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}
