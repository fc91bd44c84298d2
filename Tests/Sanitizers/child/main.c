// Takes every stage of procctl_child_spawn through success and failure, to be
// built with sanitizers that watch. With an argument it does something wrong on
// purpose instead, which they must report: else they see nothing.
#define _GNU_SOURCE
#include "expectation.h"
#include "last_resort.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct denied_argument always = {.position = -1};

static struct denied_argument where(int position, unsigned value) {
    return (struct denied_argument){.position = position, .value = value};
}

#define LINES(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SETUP(name) struct procctl_child_setup name = plain_setup(print_facts)

static void signals(void) {
    SETUP(plain);
    signal(SIGTERM, SIG_IGN);
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    expect_lines("signals", plain, LINES("SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000"));
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGTERM, SIG_DFL);
    expect_failure_denied("signal actions", plain, PROCCTL_STAGE_SIGNALS, SYS_rt_sigaction, always);
    // The parent's own SIG_SETMASK is denied too and must not matter.
    expect_failure_denied("signal mask", plain, PROCCTL_STAGE_SIGNALS, SYS_rt_sigprocmask,
                          where(0, SIG_SETMASK));
}

static void sessions(void) {
    SETUP(session);
    session.new_session = 1;
    expect_lines("session", session, LINES("NSsid:\t%d\n"));
    expect_failure_denied("session", session, PROCCTL_STAGE_SESSION, SYS_setsid, always);
    SETUP(group);
    group.new_group = 1;
    expect_lines("group", group, LINES("NSpgid:\t%d\n"));
    expect_failure_denied("group", group, PROCCTL_STAGE_SESSION, SYS_setpgid, always);

    group.foreground_terminal = open("/dev/null", O_RDWR | O_CLOEXEC);
    expect_failure("terminal that is none", group, PROCCTL_STAGE_TERMINAL, ENOTTY);
    close(group.foreground_terminal);
    group.foreground_terminal = 999;
    expect_failure("terminal that is not open", group, PROCCTL_STAGE_TERMINAL, EBADF);
}

static void scores(void) {
    SETUP(cgroup);
    cgroup.cgroup_procs = open("/dev/null", O_WRONLY | O_CLOEXEC);
    expect_lines("cgroup", cgroup, LINES("Name:\tcat"));
    close(cgroup.cgroup_procs);
    cgroup.cgroup_procs = open("/dev/full", O_WRONLY | O_CLOEXEC);
    expect_failure("cgroup that takes none", cgroup, PROCCTL_STAGE_CGROUP, ENOSPC);
    close(cgroup.cgroup_procs);

    SETUP(score);
    score.oom_score = "1000";
    expect_lines("oom score", score, LINES("\n1000\n"));
    score.oom_score = "many";
    expect_failure("oom score that is no number", score, PROCCTL_STAGE_OOM_SCORE, EINVAL);
    score.oom_score = "";
    expect_failure("empty oom score", score, PROCCTL_STAGE_OOM_SCORE, EINVAL);
    score.oom_score = "1";
    expect_failure_denied("oom score", score, PROCCTL_STAGE_OOM_SCORE, SYS_openat, always);

    SETUP(nice);
    nice.set_nice = 1;
    nice.nice = 19;
    expect_lines("nice", nice, LINES(" 39 19 1 "));
    expect_failure_denied("nice", nice, PROCCTL_STAGE_NICE, SYS_setpriority, always);

    SETUP(umask);
    umask.set_umask = 1;
    umask.umask = 0123;
    expect_lines("umask", umask, LINES("Umask:\t0123"));
}

static void limits(void) {
    struct procctl_limit many[] = {{RLIMIT_CORE, 0, 0}, {RLIMIT_NOFILE, 100, 200}, {9999, 1, 1}};
    SETUP(setup);
    setup.limits = many;
    setup.limit_count = 2;
    expect_lines("limits", setup,
                 LINES("Max open files            100                  200 ",
                       "Max core file size        0                    0 "));
    setup.limit_count = 3;
    expect_failure("limit of nothing", setup, PROCCTL_STAGE_LIMITS, EINVAL);
    many[1].soft = 300;
    setup.limit_count = 2;
    expect_failure("soft limit above the hard one", setup, PROCCTL_STAGE_LIMITS, EINVAL);
}

static void descriptors(void) {
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    SETUP(setup);
    setup.path = "/bin/ls";
    setup.arguments = (char *const[]){"ls", "-1", "/proc/self/fd", NULL};
    // Overlapping, not in order, and far apart; ls itself opens one more.
    struct procctl_descriptor moves[] = {{null, 40}, {null, 7}, {0, null}, {2, 3}};
    setup.descriptors = moves;
    setup.descriptor_count = 4;
    expect_lines("descriptors", setup, LINES("0\n", "1\n", "3\n", "40\n", "7\n"));
    setup.arguments = (char *const[]){"ls", "/proc/self/fd/5", NULL};
    SETUP(none);
    none.path = "/bin/sh";
    none.arguments = (char *const[]){"sh", "-c", "[ ! -e /proc/self/fd/3 ] && echo closed", NULL};
    expect_lines("closed descriptors", none, LINES("closed\n"));

    enum { MANY = 900 };
    struct procctl_descriptor *many = malloc(MANY * sizeof *many);
    for (int index = 0; index < MANY; index++)
        many[index] = (struct procctl_descriptor){.source = null, .target = 3 + index};
    struct rlimit former, enough;
    getrlimit(RLIMIT_NOFILE, &former);
    enough = (struct rlimit){.rlim_cur = 4000 < former.rlim_max ? 4000 : former.rlim_max,
                             .rlim_max = former.rlim_max};
    setrlimit(RLIMIT_NOFILE, &enough);
    setup.descriptors = many;
    setup.descriptor_count = MANY;
    setup.arguments = (char *const[]){"ls", "/proc/self/fd/902", NULL};
    expect_lines("many descriptors", setup, LINES("/proc/self/fd/902"));
    setrlimit(RLIMIT_NOFILE, &former);
    free(many);

    const struct procctl_descriptor wrong[] = {
        {999, 3}, {-1, 3}, {null, -1}, {null, INT_MIN}, {null, INT_MAX}, {INT_MAX, INT_MAX}};
    setup.descriptor_count = 1;
    for (size_t index = 0; index < sizeof wrong / sizeof *wrong; index++) {
        setup.descriptors = &wrong[index];
        expect_failure("descriptor that cannot be", setup, PROCCTL_STAGE_DESCRIPTORS, EBADF);
    }
    const struct procctl_descriptor high = {null, INT_MAX - 1};
    setup.descriptors = &high;
    expect_failure("descriptor above the limit", setup, PROCCTL_STAGE_DESCRIPTORS, EINVAL);
    setup.descriptors = moves;
    setup.descriptor_count = SIZE_MAX / 8;
    expect_failure("more descriptors than memory", setup, PROCCTL_STAGE_FORK, ENOMEM);
    setup.descriptor_count = SIZE_MAX / 2;
    expect_failure("more descriptors than can be counted", setup, PROCCTL_STAGE_FORK, ENOMEM);
    setup.descriptor_count = 1;
    expect_failure_denied("closing", setup, PROCCTL_STAGE_DESCRIPTORS, SYS_close_range, always);
    expect_failure_denied("moving", setup, PROCCTL_STAGE_DESCRIPTORS, SYS_dup2, always);
    close(null);
}

static void privileges(void) {
    SETUP(groups);
    const gid_t ids[] = {100, 200, 300};
    groups.set_groups = 1;
    groups.groups = ids;
    groups.group_count = 3;
    SETUP(group);
    group.set_group = 1;
    group.group = 65534;
    SETUP(user);
    user.set_user = 1;
    user.user = 65534;
    SETUP(capabilities);
    capabilities.set_capabilities = 1;

    if (geteuid() == 0) {
        expect_lines("groups", groups, LINES("Groups:\t100 200 300 \n"));
        expect_lines("group", group, LINES("Gid:\t65534\t65534\t65534\t65534"));
        expect_lines("user", user, LINES("Uid:\t65534\t65534\t65534\t65534", "CapEff:\t0000000000000000"));
        expect_lines("no capabilities", capabilities,
                     LINES("CapPrm:\t0000000000000000", "CapBnd:\t0000000000000000"));
        user.set_capabilities = 1;
        user.capabilities = user.ambient = user.bounding = 1ULL << CAP_NET_BIND_SERVICE;
        expect_lines("user with a capability", user,
                     LINES("CapPrm:\t0000000000000400", "CapAmb:\t0000000000000400",
                           "CapBnd:\t0000000000000400", "Uid:\t65534"));
        expect_failure_denied("keeping capabilities", user, PROCCTL_STAGE_CAPABILITIES, SYS_prctl,
                              where(0, PR_SET_KEEPCAPS));
        // Ambient needs permitted (capabilities(7)).
        user.ambient = 1ULL << CAP_KILL;
        expect_failure("ambient beyond permitted", user, PROCCTL_STAGE_AMBIENT, EPERM);
        capabilities.ambient = 1ULL << 63;
        expect_failure("capability that does not exist", capabilities, PROCCTL_STAGE_AMBIENT, EINVAL);
        expect_failure_denied("bounding set", capabilities, PROCCTL_STAGE_BOUNDING_SET, SYS_prctl,
                              where(0, PR_CAPBSET_DROP));
    } else {
        fprintf(stderr, "left out without root: changes of user, group and capabilities\n");
    }
    groups.group_count = 70000;
    expect_failure_denied("groups", groups, PROCCTL_STAGE_GROUPS, SYS_setgroups, always);
    expect_failure_denied("group", group, PROCCTL_STAGE_GROUP, SYS_setresgid, always);
    expect_failure_denied("user", user, PROCCTL_STAGE_USER, SYS_setresuid, always);
    capabilities.bounding = ~0ULL;
    expect_failure_denied("capabilities", capabilities, PROCCTL_STAGE_CAPABILITIES, SYS_capset, always);

    SETUP(no_new);
    no_new.no_new_privileges = 1;
    expect_lines("no new privileges", no_new, LINES("NoNewPrivs:\t1"));
    expect_failure_denied("no new privileges", no_new, PROCCTL_STAGE_NO_NEW_PRIVILEGES, SYS_prctl,
                          where(0, PR_SET_NO_NEW_PRIVS));
}

// A child without a program ends on the stack it was given, of which AddressSanitizer
// must not complain to standard error.
static void no_program(void) {
    int pipes[2], status = -1, before = open_descriptors();
    if (pipe2(pipes, O_CLOEXEC) != 0) return expect("no program", 0, "no pipe");
    struct procctl_descriptor errors = {.source = pipes[1], .target = 2};
    SETUP(setup);
    setup.path = NULL;
    setup.descriptors = &errors;
    setup.descriptor_count = 1;
    struct procctl_child_result result;
    int started = procctl_child_spawn(&setup, &result) == 0;
    close(pipes[1]);
    char said[200] = "";
    ssize_t length = read(pipes[0], said, sizeof said - 1);
    close(pipes[0]);
    expect("no program", started && waitpid(result.pid, &status, 0) == result.pid && status == 0,
           "did not exit with 0");
    if (started) close(result.pidfd);
    expect("no program", length == 0, said);
    expect("no program", open_descriptors() == before, "leaves descriptors open");
}

static void execution(void) {
    SETUP(setup);
    setup.parent_death_signal = SIGTERM;
    expect_lines("parent-death signal", setup, LINES("Name:\tcat"));
    setup.parent_death_signal = 9999;
    expect_failure("signal that does not exist", setup, PROCCTL_STAGE_PARENT_DEATH_SIGNAL, EINVAL);
    setup.parent_death_signal = 0;
    setup.directory = "/proc/self";
    setup.arguments = (char *const[]){"cat", "status", NULL};
    expect_lines("directory", setup, LINES("Name:\tcat"));
    setup.directory = "/nowhere";
    expect_failure("directory that does not exist", setup, PROCCTL_STAGE_DIRECTORY, ENOENT);
    setup.directory = NULL;
    setup.path = "/nowhere";
    expect_failure("program that does not exist", setup, PROCCTL_STAGE_EXEC, ENOENT);
    setup.path = "/etc/passwd";
    expect_failure("program that may not run", setup, PROCCTL_STAGE_EXEC, EACCES);
    setup.path = "/bin/cat/x";
    expect_failure("program below a file", setup, PROCCTL_STAGE_EXEC, ENOTDIR);
    SETUP(plain);
    expect_failure_denied("no more processes", plain, PROCCTL_STAGE_FORK, SYS_clone, always);
    // What a child leaves behind in memory it shared shows after many.
    for (int round = 0; round < 300; round++) expect_failure("one of many", setup, PROCCTL_STAGE_EXEC, ENOTDIR);
}

// MARK: Mistakes made on purpose

// The child itself reads past the end of the parent's memory.
static int overflow_in_child(void) {
    struct procctl_limit *limit = malloc(sizeof *limit);
    *limit = (struct procctl_limit){RLIMIT_CORE, 0, 0};
    SETUP(setup);
    setup.limits = limit;
    setup.limit_count = 2;
    struct procctl_child_result result;
    int status = 0;
    if (procctl_child_spawn(&setup, &result) != 0 || waitpid(result.pid, &status, 0) < 0) _exit(1);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

static int mistake(const char *kind) {
    volatile int limit = INT_MAX;
    volatile char *memory = malloc(8);
    if (strcmp(kind, "child") == 0) return overflow_in_child();
    if (strcmp(kind, "handler") == 0) return overflow_in_handler();
    if (strcmp(kind, "heap") == 0) memory[limit > 0 ? 8 : 0] = 1;
    if (strcmp(kind, "undefined") == 0) limit = limit + 1;
    if (strcmp(kind, "leak") == 0) memory = NULL;
    return 0;
}

int main(int count, char **arguments) {
    if (count > 1) return mistake(arguments[1]);
    signals();
    sessions();
    scores();
    limits();
    descriptors();
    privileges();
    execution();
    no_program();
    last_resort();
    procctl_release_clean_pages();
    if (procctl_argument_count() != 1 || procctl_argument(0) == NULL || procctl_argument(1) != NULL ||
        procctl_argument(-1) != NULL || procctl_argument(INT_MIN) != NULL)
        return fprintf(stderr, "arguments are not main's\n"), 1;
    return summary();
}
