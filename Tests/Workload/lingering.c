// Stays when others go, or keeps others from going.
#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct rest {
    char **words;
    int index;
};

static int go_on(void *argument) {
    struct rest *rest = argument;
    live(rest->words, rest->index);
    return 0;
}

// On a stack of its own, because it never hands the parent's back.
static void never_exec(char **words, int index) {
    enum { STACK_SIZE = 1 << 20 };
    char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED) fail("mmap");
    struct rest rest = {words, index};
    if (clone(go_on, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK | SIGCHLD, &rest) < 0) fail("clone");
}

static void trace(pid_t pid, int stop) {
    if (ptrace(PTRACE_SEIZE, pid, 0, 0) != 0) fail("PTRACE_SEIZE");
    if (!stop) return;
    if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) != 0) fail("PTRACE_INTERRUPT");
    // Until it has stopped; __WALL because it is not our child.
    if (waitpid(pid, NULL, __WALL) != pid) fail("wait for the traced");
}

static void limit(int resource, const char *count) {
    rlim_t value = (rlim_t)number(count);
    struct rlimit limits = {value, value};
    if (setrlimit(resource, &limits) != 0) fail("setrlimit");
}

int linger(char **words, int index) {
    const char *action = words[index];
    if (strcmp(action, "subreaper") == 0) {
        if (prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL) != 0) fail("subreaper");
    } else if (strcmp(action, "stop-group") == 0) {
        kill(0, SIGSTOP);
    } else if (strcmp(action, "vfork") == 0) {
        never_exec(words, index + 1);
        index = after_end(words, index + 1) - 1;
    } else if (strcmp(action, "trace") == 0) {
        trace(number(words[++index]), 0);
    } else if (strcmp(action, "trace-stop") == 0) {
        trace(number(words[++index]), 1);
    } else if (strcmp(action, "lock") == 0) {
        // Not closed at the end of this function, and inherited: the lock is every holder's.
        int fd = open(words[++index], O_RDWR | O_CREAT, 0666);
        if (fd < 0 || flock(fd, LOCK_EX) != 0) fail("lock");
    } else if (strcmp(action, "block-all") == 0) {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
    } else if (strcmp(action, "limit-files") == 0) {
        limit(RLIMIT_NOFILE, words[++index]);
    } else if (strcmp(action, "limit-processes") == 0) {
        limit(RLIMIT_NPROC, words[++index]);
    } else {
        return -1;
    }
    return index;
}
