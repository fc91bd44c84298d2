// The child has a copy of the memory, so it may do what it likes; it calls
// nothing that takes a lock all the same, because another thread may hold it.
#define _GNU_SOURCE
#include "CProcCtlTrial.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    ssize_t written = write(fd, text, strlen(text));
    int error = errno;
    close(fd);
    errno = error;
    return written < 0 ? -1 : 0;
}

static int map_identity(uid_t user, gid_t group) {
    char text[64];
    snprintf(text, sizeof text, "0 %u 1\n", (unsigned)user);
    if (write_file("/proc/self/uid_map", text) != 0) return -1;
    // Older kernels have no such file and do not ask for it.
    if (write_file("/proc/self/setgroups", "deny") != 0 && errno != ENOENT) return -1;
    snprintf(text, sizeof text, "0 %u 1\n", (unsigned)group);
    return write_file("/proc/self/gid_map", text);
}

static int mount_proc(void) {
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return -1;
    return mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

static int make_inheritable(int capability) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) != 0) return -1;
    data[capability / 32].inheritable |= 1U << (capability % 32);
    return (int)syscall(SYS_capset, &header, data);
}

#define STAGE(name, call)                               \
    do {                                                \
        if ((call) != 0) {                              \
            result->error = errno;                      \
            result->stage = PROCCTL_TRIAL_##name;       \
            return;                                     \
        }                                               \
    } while (0)

static void perform(enum procctl_trial trial, int argument, uid_t user, gid_t group,
                    volatile struct procctl_trial_result *result) {
    switch (trial) {
    case PROCCTL_TRIAL_CHANGE_USER:
        STAGE(GROUPS, syscall(SYS_setgroups, 0, NULL));
        STAGE(GROUP, syscall(SYS_setresgid, argument, argument, argument));
        STAGE(USER, syscall(SYS_setresuid, argument, argument, argument));
        break;
    case PROCCTL_TRIAL_AMBIENT:
        STAGE(INHERITABLE, make_inheritable(argument));
        STAGE(RAISE, prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, argument, 0, 0));
        break;
    case PROCCTL_TRIAL_CGROUP:
        STAGE(JOIN, write(argument, "0", 1) != 1);
        break;
    case PROCCTL_TRIAL_USER_AND_PID_NAMESPACE:
        STAGE(MAP, map_identity(user, group));
        STAGE(MOUNT, mount_proc());
        break;
    case PROCCTL_TRIAL_PID_NAMESPACE:
        STAGE(MOUNT, mount_proc());
        break;
    }
    result->stage = PROCCTL_TRIAL_DONE;
}

static pid_t make_child(unsigned long namespaces) {
    return (pid_t)syscall(SYS_clone, namespaces | SIGCHLD, 0, 0, 0, 0);
}

static void reap(pid_t child) {
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
}

struct procctl_trial_result procctl_try(enum procctl_trial trial, int argument) {
    struct procctl_trial_result outcome = {.stage = PROCCTL_TRIAL_CHILD, .error = 0};
    volatile struct procctl_trial_result *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        outcome.error = errno;
        return outcome;
    }
    shared->stage = PROCCTL_TRIAL_LOST;

    uid_t user = geteuid();
    gid_t group = getegid();
    unsigned long namespaces = 0;
    // With mounts of their own, so that the trial's are nobody else's.
    if (trial == PROCCTL_TRIAL_PID_NAMESPACE) namespaces = CLONE_NEWPID | CLONE_NEWNS;
    if (trial == PROCCTL_TRIAL_USER_AND_PID_NAMESPACE)
        namespaces = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS;

    pid_t child = make_child(namespaces);
    if (child == 0) {
        perform(trial, argument, user, group, shared);
        _exit(0);
    }
    if (child < 0) {
        outcome.error = errno;
    } else {
        reap(child);
        outcome.stage = shared->stage;
        outcome.error = shared->error;
    }
    munmap((void *)shared, sizeof *shared);
    return outcome;
}

int procctl_trial_child(int status) {
    pid_t child = make_child(0);
    if (child == 0) _exit(status);
    return child;
}
