// What runs between the birth of a child and its execve.
//
// The child shares the parent's memory and the parent's thread is suspended
// until the exec (CLONE_VM | CLONE_VFORK, as posix_spawn does it), so a heap of
// any size costs nothing and the error can be written where the parent reads
// it. In return nothing here may allocate, take a lock, or call a libc function
// that synchronises threads: credentials are changed by the raw system calls,
// because glibc's setuid would signal the parent's threads.
#define _GNU_SOURCE
#include "CProcCtlChild.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
// ThreadSanitizer has a clone of its own for children with a memory of their own. On
// ours it would end the use of its locks twice, so call glibc's by its other name.
int __clone(int (*function)(void *), void *stack, int flags, void *argument, ...);
#define clone __clone
#endif
#endif

enum { STACK_SIZE = 64 * 1024, HIGHEST_CAPABILITY = 63 };

struct child_context {
    const struct procctl_child_setup *setup;
    struct procctl_child_result *result;
};

static int write_text(int fd, const char *text) {
    size_t length = strlen(text);
    ssize_t written = write(fd, text, length);
    if (written < 0) return -1;
    if ((size_t)written != length) {
        errno = EIO;
        return -1;
    }
    return 0;
}

// Default action for every signal and nothing blocked: ignored and blocked
// signals are inherited across execve, and a child that cannot be terminated by
// SIGTERM is a survivor in the making.
static int reset_signals(void) {
    // The kernel's own structure, all zero, means SIG_DFL. By glibc's sigaction
    // its two internal signals could not be reset, and they may be ignored too.
    enum { KERNEL_SIGACTION_SIZE = 32, KERNEL_SIGSET_SIZE = 8 };
    char default_action[KERNEL_SIGACTION_SIZE] __attribute__((aligned(8))) = {0};
    for (int signal = 1; signal < NSIG; signal++) {
        if (signal == SIGKILL || signal == SIGSTOP) continue;
        if (syscall(SYS_rt_sigaction, signal, default_action, NULL, KERNEL_SIGSET_SIZE) != 0) return -1;
    }
    return 0;
}

static int unblock_signals(void) {
    sigset_t empty;
    sigemptyset(&empty);
    return sigprocmask(SIG_SETMASK, &empty, NULL);
}

static int write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    int failed = write_text(fd, text);
    int error = errno;
    close(fd);
    errno = error;
    return failed;
}

// One line of uid_map or gid_map that maps an id to itself. Formatted by hand:
// nothing that may allocate or lock is called between clone and exec.
static int map_id(const char *path, uint32_t id) {
    char digits[11];
    char line[32];
    size_t count = 0, length = 0;
    do {
        digits[count++] = (char)('0' + id % 10);
        id /= 10;
    } while (id > 0);
    for (int copy = 0; copy < 2; copy++) {
        for (size_t index = count; index > 0; index--) line[length++] = digits[index - 1];
        line[length++] = ' ';
    }
    line[length++] = '1';
    line[length] = 0;
    return write_file(path, line);
}

// user_namespaces(7): without rights in the parent namespace only the own ids
// can be mapped, and a group only once setgroups(2) is given up.
static int map_own_ids(const struct procctl_child_setup *setup) {
    if (write_file("/proc/self/setgroups", "deny") != 0) return -1;
    if (map_id("/proc/self/uid_map", setup->namespace_user) != 0) return -1;
    return map_id("/proc/self/gid_map", setup->namespace_group);
}

// A /proc that shows the new pid namespace (pid_namespaces(7)). Mounts made
// outside later still come in, none made here gets out.
static int mount_proc(void) {
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0) return -1;
    return mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

static int set_limits(const struct procctl_child_setup *setup) {
    for (size_t index = 0; index < setup->limit_count; index++) {
        const struct procctl_limit *limit = &setup->limits[index];
        struct rlimit value = {.rlim_cur = limit->soft, .rlim_max = limit->hard};
        if (setrlimit(limit->resource, &value) != 0) return -1;
    }
    return 0;
}

// Hands down the listed descriptors and closes everything else. `moved` has room
// for every descriptor and was allocated by the parent.
static int pass_descriptors(const struct procctl_child_setup *setup, int *moved) {
    int above = 3;
    for (size_t index = 0; index < setup->descriptor_count; index++) {
        int target = setup->descriptors[index].target;
        if (target < 0 || target == INT_MAX) {
            errno = EBADF;
            return -1;
        }
        if (target >= above) above = target + 1;
    }

    for (size_t index = 0; index < setup->descriptor_count; index++) {
        moved[index] = fcntl(setup->descriptors[index].source, F_DUPFD_CLOEXEC, above);
        if (moved[index] < 0) return -1;
    }
    for (size_t index = 0; index < setup->descriptor_count; index++)
        if (dup2(moved[index], setup->descriptors[index].target) < 0) return -1;

    // 0, 1 and 2 stay as they are unless listed; the rest close at the exec, so
    // that descriptors this function still needs survive until then.
    int keep_from = 3;
    for (int descriptor = 3; descriptor < above; descriptor++) {
        int listed = 0;
        for (size_t index = 0; index < setup->descriptor_count; index++)
            if (setup->descriptors[index].target == descriptor) listed = 1;
        if (!listed) continue;
        if (descriptor > keep_from)
            syscall(SYS_close_range, keep_from, descriptor - 1, CLOSE_RANGE_CLOEXEC);
        keep_from = descriptor + 1;
    }
    if (syscall(SYS_close_range, keep_from, ~0U, CLOSE_RANGE_CLOEXEC) != 0) return -1;
    return 0;
}

static int drop_bounding_set(uint64_t keep) {
    for (int capability = 0; capability <= HIGHEST_CAPABILITY; capability++) {
        if (keep & (1ULL << capability)) continue;
        if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) != 1) continue;
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return -1;
    }
    return 0;
}

static int set_capabilities(uint64_t set) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[2];
    for (int word = 0; word < 2; word++) {
        uint32_t bits = (uint32_t)(set >> (32 * word));
        data[word].permitted = data[word].effective = data[word].inheritable = bits;
    }
    return (int)syscall(SYS_capset, &header, data);
}

// A change of user empties these only if it is one away from root: who changes
// it by CAP_SETUID alone would hand its own on.
static int clear_inherited(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct data[2];
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL) return -1;
    if (syscall(SYS_capget, &header, data) != 0) return -1;
    data[0].inheritable = data[1].inheritable = 0;
    return (int)syscall(SYS_capset, &header, data);
}

static int raise_ambient(uint64_t set) {
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) return -1;
    for (int capability = 0; capability <= HIGHEST_CAPABILITY; capability++) {
        if (!(set & (1ULL << capability))) continue;
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0) return -1;
    }
    return 0;
}

#define STAGE(name, condition, call)                    \
    do {                                                \
        if ((condition) && (call) != 0) {               \
            result->error = errno;                      \
            result->stage = PROCCTL_STAGE_##name;       \
            return 127;                                 \
        }                                               \
    } while (0)

// To return is to exit with that status (clone(2)). Not by _exit: before what never
// returns, AddressSanitizer tidies up the stack, and takes this one for the parent's.
static int run_child(void *argument) {
    const struct child_context *context = argument;
    const struct procctl_child_setup *setup = context->setup;
    struct procctl_child_result *result = context->result;
    int moved[setup->descriptor_count > 0 ? setup->descriptor_count : 1];

    STAGE(SIGNALS, 1, reset_signals());
    STAGE(USER_NAMESPACE, setup->process_namespace == PROCCTL_NAMESPACE_PID_IN_USER, map_own_ids(setup));
    STAGE(PROC_MOUNT, setup->process_namespace != PROCCTL_NAMESPACE_NONE, mount_proc());
    STAGE(SESSION, setup->new_session, setsid() < 0);
    STAGE(SESSION, setup->new_group && !setup->new_session, setpgid(0, 0));
    STAGE(TERMINAL, setup->foreground_terminal >= 0, tcsetpgrp(setup->foreground_terminal, getpgrp()));

    // While there are still the rights to: cgroup, scores and limits go first.
    STAGE(CGROUP, setup->cgroup_procs >= 0, write_text(setup->cgroup_procs, "0"));
    STAGE(OOM_SCORE, setup->oom_score != NULL, write_file("/proc/self/oom_score_adj", setup->oom_score));
    STAGE(NICE, setup->set_nice, setpriority(PRIO_PROCESS, 0, setup->nice));
    // Moving descriptors takes numbers above those we have, so before a limit on them.
    STAGE(DESCRIPTORS, 1, pass_descriptors(setup, moved));
    STAGE(LIMITS, setup->limit_count > 0, set_limits(setup));
    if (setup->set_umask) umask(setup->umask);

    STAGE(GROUPS, setup->set_groups, syscall(SYS_setgroups, setup->group_count, setup->groups));
    STAGE(GROUP, setup->set_group, syscall(SYS_setresgid, setup->group, setup->group, setup->group));
    STAGE(BOUNDING_SET, setup->set_capabilities && !setup->keep_bounding, drop_bounding_set(setup->bounding));
    // Without KEEPCAPS a change from uid 0 empties the permitted set.
    STAGE(CAPABILITIES, setup->set_capabilities && setup->set_user, prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
    STAGE(USER, setup->set_user, syscall(SYS_setresuid, setup->user, setup->user, setup->user));
    STAGE(CAPABILITIES, setup->set_user && !setup->set_capabilities, clear_inherited());
    STAGE(CAPABILITIES, setup->set_capabilities, set_capabilities(setup->capabilities));
    STAGE(AMBIENT, setup->set_capabilities, raise_ambient(setup->ambient));
    STAGE(NO_NEW_PRIVILEGES, setup->no_new_privileges, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));

    // After the change of user, which clears it. The parent cannot have died
    // already: it is suspended until the exec or our death, unless SIGKILL took it,
    // and against that no order of calls here helps.
    STAGE(PARENT_DEATH_SIGNAL, setup->parent_death_signal != 0,
          prctl(PR_SET_PDEATHSIG, setup->parent_death_signal, 0, 0, 0));
    STAGE(DIRECTORY, setup->directory != NULL, chdir(setup->directory));
    STAGE(SIGNALS, 1, unblock_signals());

    if (setup->path == NULL) return 0;
    execve(setup->path, setup->arguments, setup->environment);
    result->error = errno;
    result->stage = PROCCTL_STAGE_EXEC;
    return 127;
}

int procctl_child_spawn(const struct procctl_child_setup *setup, struct procctl_child_result *result) {
    struct child_context context = {.setup = setup, .result = result};
    memset(result, 0, sizeof *result);
    result->pid = -1;
    result->pidfd = -1;

    if (setup->descriptor_count > (SIZE_MAX - STACK_SIZE) / sizeof(int)) {
        result->stage = PROCCTL_STAGE_FORK;
        result->error = ENOMEM;
        return -1;
    }
    size_t size = STACK_SIZE + setup->descriptor_count * sizeof(int);
    void *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED) {
        result->stage = PROCCTL_STAGE_FORK;
        result->error = errno;
        return -1;
    }

    // No handler of the parent may run in the child, on memory they share.
    sigset_t all, previous;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &previous);
    int pidfd = -1;
    int dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
    // The stack grows down on every architecture Swift runs on; keep it aligned.
    char *top = (char *)stack + (size & ~(size_t)15);
    int flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD;
    if (setup->process_namespace != PROCCTL_NAMESPACE_NONE) flags |= CLONE_NEWPID | CLONE_NEWNS;
    if (setup->process_namespace == PROCCTL_NAMESPACE_PID_IN_USER) flags |= CLONE_NEWUSER;
    pid_t pid = clone(run_child, top, flags, &context, &pidfd);
    int error = errno;
    // A change of user in the child makes the memory undumpable, which is ours as
    // well: our files in /proc would be root's, and closed to us if we are not root.
    if (dumpable == 1 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 1) prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
    munmap(stack, size);

    if (pid < 0) {
        result->stage = PROCCTL_STAGE_FORK;
        result->error = error;
        return -1;
    }
    if (result->stage != PROCCTL_STAGE_NONE) {
        int status;
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
        close(pidfd);
        return -1;
    }
    result->pid = pid;
    result->pidfd = pidfd;
    return 0;
}
