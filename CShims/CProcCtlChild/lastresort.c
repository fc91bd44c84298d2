// What still works when nothing else does. The handlers call nothing that is not
// async-signal-safe (signal-safety(7)): they may have interrupted malloc.
#define _GNU_SOURCE
#include "CProcCtlLastResort.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

// A pipe that nobody reads is one of the things an exit can hang at.
static void say(const char *line) {
    struct pollfd output = {.fd = 2, .events = POLLOUT};
    if (poll(&output, 1, 0) == 1 && (output.revents & POLLOUT)) {
        ssize_t written = write(2, line, strlen(line));
        (void)written;
    }
}

// MARK: The end that does not come

static volatile sig_atomic_t late_status;

static void on_late(int signal) {
    (void)signal;
    say("procctl: the exit hangs; ended without it\n");
    _exit(late_status);
}

void procctl_exit_within(int milliseconds, int status) {
    late_status = status;
    struct itimerval timer = {
        .it_value = {.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000}};
    if (milliseconds > 0) {
        struct sigaction action = {.sa_handler = on_late};
        sigfillset(&action.sa_mask);
        sigaction(SIGALRM, &action, NULL);
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGALRM);
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    }
    setitimer(ITIMER_REAL, &timer, NULL);
}

// MARK: Faults

static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP};
enum { FAULTS = sizeof faults / sizeof *faults, FAULT_STACK = 64 * 1024 };

static struct sigaction previous[FAULTS];
static _Atomic pid_t *groups;
static size_t group_count;
static int cgroup_descriptor = -1;
static pid_t owner;
static char fault_stack[FAULT_STACK];

static void on_fault(int signal, siginfo_t *information, void *context) {
    (void)context;
    int error = errno;
    // A child shares this memory until it has become its program.
    if (getpid() == owner) {
        if (cgroup_descriptor >= 0) {
            ssize_t written = write(cgroup_descriptor, "1", 1);
            (void)written;
        }
        for (size_t index = 0; index < group_count; index++) {
            pid_t group = atomic_load(&groups[index]);
            if (group > 1) kill(-group, SIGKILL);
        }
        say("procctl: dying of a fault of its own; the workers were killed\n");
    }
    for (int index = 0; index < FAULTS; index++)
        if (faults[index] == signal) sigaction(signal, &previous[index], NULL);
    // What a faulting instruction raised comes again when it is run again; what was sent must be sent again.
    if (information->si_code <= 0) syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), signal);
    errno = error;
}

int procctl_fault_prepare(size_t count, int cgroup_kill) {
    _Atomic pid_t *table = calloc(count > 0 ? count : 1, sizeof *table);
    if (table == NULL) return ENOMEM;
    groups = table;
    group_count = count;
    cgroup_descriptor = cgroup_kill;
    owner = getpid();
    // A stack that ran over is a fault too.
    stack_t stack;
    if (sigaltstack(NULL, &stack) == 0 && (stack.ss_flags & SS_DISABLE)) {
        stack = (stack_t){.ss_sp = fault_stack, .ss_size = sizeof fault_stack};
        sigaltstack(&stack, NULL);
    }
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigfillset(&action.sa_mask);
    for (int index = 0; index < FAULTS; index++) sigaction(faults[index], &action, &previous[index]);
    return 0;
}

void procctl_fault_group(size_t index, pid_t group) {
    if (index < group_count) atomic_store(&groups[index], group);
}

void procctl_fault_forget(void) {
    if (owner == 0) return;
    for (int index = 0; index < FAULTS; index++) sigaction(faults[index], &previous[index], NULL);
    group_count = 0;
    cgroup_descriptor = -1;
    owner = 0;
    free(groups);
    groups = NULL;
}
