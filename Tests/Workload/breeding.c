// Forks, and forks, and forks.
#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void hop_session(int pause_milliseconds) {
    long end = milliseconds() + STORM_SECONDS * 1000L;
    while (milliseconds() < end) {
        if (pause_milliseconds > 0) sleep_milliseconds(pause_milliseconds);
        pid_t pid = fork();
        // At a limit of processes it goes on as soon as somebody has been reaped.
        if (pid < 0) {
            sched_yield();
            continue;
        }
        if (pid > 0) _exit(0);
        alarm(STORM_SECONDS);
        if (setsid() < 0) fail("setsid");
    }
    _exit(0);
}

// Bounded three times over: by the count that all share, by the clock, and by
// whatever limit the kernel puts on the number of processes, at which it tries on.
static void storm(const char *file, int count) {
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0 || ftruncate(fd, 4096) != 0) fail(file);
    atomic_int *born = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (born == MAP_FAILED) fail("mmap");
    close(fd);
    // The first of them sees to it that zombies do not fill the limit, and stays.
    if (prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL) != 0) fail("subreaper");
    signal(SIGCHLD, SIG_IGN);
    pid_t first = getpid();
    long end = milliseconds() + STORM_SECONDS * 1000L;
    unsigned choice = (unsigned)getpid();
    while (atomic_load(born) < count && milliseconds() < end) {
        pid_t pid = fork();
        if (pid < 0) {
            // At the limit some make room, and the storm goes on.
            if (getpid() != first && ((choice = choice * 1103515245u + 12345u) & 0x70000u) == 0) _exit(0);
            sched_yield();
        } else if (pid == 0) {
            atomic_fetch_add(born, 1);
            alarm(STORM_SECONDS);
            choice = choice * 1103515245u + (unsigned)getpid();
        } else if (getpid() != first && ((choice = choice * 1103515245u + 12345u) & 0x10000u) != 0) {
            _exit(0);
        }
    }
    hold();
}

static void orphans(int count) {
    for (int index = 0; index < count; index++) {
        pid_t pid = fork();
        if (pid < 0) fail("fork");
        if (pid == 0) {
            if (fork() != 0) _exit(0);
            sleep_milliseconds(1 + index % 20);
            _exit(0);
        }
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
}

static pid_t fork_as(int wanted) {
    pid_t set[] = {wanted};
    struct clone_args arguments;
    memset(&arguments, 0, sizeof arguments);
    arguments.exit_signal = SIGCHLD;
    arguments.set_tid = (uint64_t)(uintptr_t)set;
    arguments.set_tid_size = 1;
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

int breed(char **words, int index) {
    const char *action = words[index];
    if (strcmp(action, "hop-session") == 0) {
        hop_session(number(words[++index]));
    } else if (strcmp(action, "storm") == 0) {
        const char *file = words[++index];
        storm(file, number(words[++index]));
    } else if (strcmp(action, "orphans") == 0) {
        orphans(number(words[++index]));
    } else if (strcmp(action, "deep") == 0) {
        for (int left = number(words[++index]); left > 1; left--) {
            pid_t pid = fork();
            if (pid < 0) fail("fork");
            if (pid > 0) hold();
            alarm(LIFE_SECONDS);
        }
    } else if (strcmp(action, "many") == 0) {
        int count = number(words[++index]);
        for (; count > 0; count--) {
            pid_t pid = fork();
            if (pid < 0) fail("fork");
            if (pid == 0) live(words, index + 1);
        }
        index = after_end(words, index + 1) - 1;
    } else if (strcmp(action, "fork-as") == 0) {
        int wanted = number(words[++index]);
        pid_t pid = fork_as(wanted);
        if (pid < 0) fail("clone3");
        if (pid == 0) live(words, index + 1);
        index = after_end(words, index + 1) - 1;
    } else if (strcmp(action, "reap") == 0) {
        while (wait(NULL) < 0 && errno == EINTR) {
        }
    } else {
        return -1;
    }
    return index;
}
