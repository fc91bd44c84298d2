// The sanitizers have handlers of their own for some of these signals. Every case takes them back
// first, in a process of its own, so that what follows is what follows in the daemon.
#define _GNU_SOURCE
#include "last_resort.h"

#include "CProcCtlLastResort.h"
#include "expectation.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NO_STATUS = -1, LIMIT = 20 };

// What became of a process, and what it left.
struct end {
    int status;
    // Written to what stands for a cgroup.kill.
    char cgroup[8];
    // How the group it had registered ended: of SIGKILL, or, left alone, of the SIGTERM that followed.
    int group;
    char said[200];
};

struct scene {
    pid_t group;
    int cgroup_kill;
};

static void defaults(void) {
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP};
    for (size_t index = 0; index < sizeof signals / sizeof *signals; index++) signal(signals[index], SIG_DFL);
    // The one for the main thread that the sanitizer made.
    stack_t none = {.ss_flags = SS_DISABLE};
    sigaltstack(&none, NULL);
    prctl(PR_SET_DUMPABLE, 0);
    alarm(LIMIT);
}

// A process that waits in a group of its own; ends with its parent's test at the latest.
static pid_t waiting_group(void) {
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        alarm(LIMIT);
        for (;;) pause();
    }
    setpgid(pid, pid);
    return pid;
}

// Runs the body in a process of its own, beside a group, and looks at what is left of both.
static struct end play(void (*body)(struct scene *)) {
    struct end end = {.status = NO_STATUS, .group = NO_STATUS};
    struct scene scene = {.group = waiting_group(), .cgroup_kill = memfd_create("cgroup.kill", MFD_CLOEXEC)};
    int errors[2];
    if (pipe2(errors, O_CLOEXEC) != 0) return end;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(errors[1], 2);
        defaults();
        body(&scene);
        _exit(99);
    }
    close(errors[1]);
    waitpid(pid, &end.status, 0);
    ssize_t got = read(errors[0], end.said, sizeof end.said - 1);
    (void)got;
    close(errors[0]);
    got = pread(scene.cgroup_kill, end.cgroup, sizeof end.cgroup - 1, 0);
    close(scene.cgroup_kill);
    // The first fatal signal decides (signal(7)): of TERM it dies only if it was left alone.
    kill(scene.group, SIGTERM);
    waitpid(scene.group, &end.group, 0);
    return end;
}

static int died(int status, int signal) { return WIFSIGNALED(status) && WTERMSIG(status) == signal; }

// MARK: Faults

static void prepare(struct scene *scene) {
    if (procctl_fault_prepare(3, scene->cgroup_kill) != 0) _exit(98);
    procctl_fault_group(1, scene->group);
    // Where there is no room for it: nothing happens.
    procctl_fault_group(3, 1);
    procctl_fault_group((size_t)-1, 1);
}

static int signal_to_send;

static void sent(struct scene *scene) {
    prepare(scene);
    raise(signal_to_send);
}

static void illegal(struct scene *scene) {
    prepare(scene);
    __builtin_trap();
}

static void unreadable(struct scene *scene) {
    prepare(scene);
    volatile char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED) _exit(*page);
}

// Never reached.
static volatile int deepest = 1;

__attribute__((noinline)) static int deeper(volatile char *above) {
    volatile char room[1024];
    room[0] = (char)(*above + 1);
    return deepest > 0 ? deeper(room) + room[0] : 0;
}

static void overflowing(struct scene *scene) {
    prepare(scene);
    volatile char bottom = 0;
    _exit(deeper(&bottom));
}

static void in_a_child(struct scene *scene) {
    prepare(scene);
    pid_t pid = fork();
    if (pid == 0) raise(SIGSEGV);
    int status = 0;
    waitpid(pid, &status, 0);
    _exit(died(status, SIGSEGV) ? 0 : 97);
}

static void forgotten(struct scene *scene) {
    prepare(scene);
    procctl_fault_group(1, 0);
    procctl_fault_forget();
    // Again: nothing to forget.
    procctl_fault_forget();
    procctl_fault_group(0, scene->group);
    raise(SIGSEGV);
}

static void without_leak(struct scene *scene) {
    prepare(scene);
    procctl_fault_forget();
    prepare(scene);
    procctl_fault_forget();
    // Looks for leaks.
    exit(0);
}

static void ignored(struct scene *scene) {
    signal(SIGTRAP, SIG_IGN);
    prepare(scene);
    raise(SIGTRAP);
    _exit(7);
}

// It takes everybody along and keeps its signal.
static void expect_fatal(const char *name, struct end end, int signal) {
    expect(name, died(end.status, signal), "did not die of its signal");
    expect(name, died(end.group, SIGKILL), "left the group alive");
    expect(name, strcmp(end.cgroup, "1") == 0, "did not kill the cgroup");
    expect(name, strstr(end.said, "dying of a fault of its own") != NULL, "did not say so");
}

// Nobody else is touched.
static void expect_harmless(const char *name, struct end end) {
    expect(name, died(end.group, SIGTERM), "killed the group");
    expect(name, end.cgroup[0] == 0, "killed the cgroup");
    expect(name, end.said[0] == 0, "said something");
}

static void faults(void) {
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP};
    for (size_t index = 0; index < sizeof signals / sizeof *signals; index++) {
        signal_to_send = signals[index];
        expect_fatal(strsignal(signal_to_send), play(sent), signal_to_send);
    }
    expect_fatal("an illegal instruction", play(illegal), SIGILL);
    expect_fatal("memory that cannot be read", play(unreadable), SIGSEGV);
    expect_fatal("a stack that runs over", play(overflowing), SIGSEGV);

    // The controls: not everything kills.
    signal_to_send = SIGTERM;
    struct end end = play(sent);
    expect("SIGTERM", died(end.status, SIGTERM), "did not die of it");
    expect_harmless("SIGTERM", end);
    end = play(in_a_child);
    expect("a fault of a child", WIFEXITED(end.status) && WEXITSTATUS(end.status) == 0, "of another end");
    expect_harmless("a fault of a child", end);
    end = play(forgotten);
    expect("forgotten", died(end.status, SIGSEGV), "did not die of its signal");
    expect_harmless("forgotten", end);
    end = play(without_leak);
    expect("prepared twice", WIFEXITED(end.status) && WEXITSTATUS(end.status) == 0, end.said);
    end = play(ignored);
    expect("what was ignored", WIFEXITED(end.status) && WEXITSTATUS(end.status) == 7, "is so no more");
}

// MARK: The end that does not come

static void hang(void) {
    for (;;) pause();
}

static void late(struct scene *scene) {
    (void)scene;
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    procctl_exit_within(50, 7);
    hang();
}

static void anew(struct scene *scene) {
    (void)scene;
    procctl_exit_within(3600 * 1000, 7);
    procctl_exit_within(1, 9);
    hang();
}

static void called_off(struct scene *scene) {
    (void)scene;
    procctl_exit_within(3600 * 1000, 7);
    procctl_exit_within(0, 7);
    struct itimerval timer;
    getitimer(ITIMER_REAL, &timer);
    _exit(timer.it_value.tv_sec == 0 && timer.it_value.tv_usec == 0 ? 0 : 96);
}

// Standard error is a pipe that is full and that nobody reads.
static void unread(struct scene *scene) {
    (void)scene;
    int ends[2];
    char filler[4096] = {0};
    if (pipe2(ends, O_NONBLOCK) != 0) _exit(95);
    while (write(ends[1], filler, sizeof filler) > 0) continue;
    fcntl(ends[1], F_SETFL, 0);
    dup2(ends[1], 2);
    procctl_exit_within(1, 7);
    hang();
}

static void ends(void) {
    struct end end = play(late);
    expect("an exit that hangs", WIFEXITED(end.status) && WEXITSTATUS(end.status) == 7, "of another end");
    expect("an exit that hangs", strstr(end.said, "the exit hangs") != NULL, "did not say so");
    end = play(anew);
    expect("a limit anew", WIFEXITED(end.status) && WEXITSTATUS(end.status) == 9, "of another end");
    end = play(called_off);
    expect("a limit called off", WIFEXITED(end.status) && WEXITSTATUS(end.status) == 0, "is still there");
    end = play(unread);
    expect("an unread pipe", WIFEXITED(end.status) && WEXITSTATUS(end.status) == 7, "of another end");
}

void last_resort(void) {
    int before = open_descriptors();
    faults();
    ends();
    expect("last resort", open_descriptors() == before, "leaves descriptors open");
}

// MARK: A mistake made on purpose

static volatile char *too_short;

static void on_alarm(int signal) {
    (void)signal;
    too_short[8] = 1;
    _exit(0);
}

int overflow_in_handler(void) {
    too_short = malloc(8);
    signal(SIGALRM, on_alarm);
    raise(SIGALRM);
    return 0;
}
