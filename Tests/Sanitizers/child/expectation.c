#define _GNU_SOURCE
#include "expectation.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int checked, failed;

static char *const empty_environment[] = {NULL};

char *const print_facts[] = {"cat",
                             "/proc/self/status",
                             "/proc/self/stat",
                             "/proc/self/limits",
                             "/proc/self/oom_score_adj",
                             NULL};

struct procctl_child_setup plain_setup(char *const *command) {
    return (struct procctl_child_setup){
        .path = "/bin/cat",
        .arguments = command,
        .environment = empty_environment,
        .foreground_terminal = -1,
        .cgroup_procs = -1,
    };
}

int open_descriptors(void) {
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (directory != NULL && readdir(directory) != NULL) count++;
    if (directory != NULL) closedir(directory);
    return count;
}

void expect(const char *name, int holds, const char *what) {
    checked++;
    if (holds) return;
    failed++;
    fprintf(stderr, "%s: %s\n", name, what);
}

// Everything up to the end of the stream, ended by a zero.
static char *read_all(int fd) {
    size_t size = 0, room = 65536;
    char *text = malloc(room);
    ssize_t got;
    while (size + 1 < room && (got = read(fd, text + size, room - size - 1)) > 0) size += (size_t)got;
    text[size] = 0;
    return text;
}

void expect_lines(const char *name, struct procctl_child_setup setup, const char *const *lines) {
    int before = open_descriptors(), pipes[2];
    if (pipe2(pipes, O_CLOEXEC) != 0) return expect(name, 0, "no pipe");
    // What the case passes, and the output.
    size_t count = setup.descriptor_count;
    struct procctl_descriptor *descriptors = malloc((count + 1) * sizeof *descriptors);
    if (count > 0) memcpy(descriptors, setup.descriptors, count * sizeof *descriptors);
    descriptors[count] = (struct procctl_descriptor){.source = pipes[1], .target = 1};
    setup.descriptors = descriptors;
    setup.descriptor_count = count + 1;

    struct procctl_child_result result;
    int status = procctl_child_spawn(&setup, &result);
    close(pipes[1]);
    free(descriptors);
    if (status != 0) {
        fprintf(stderr, "%s: stage %d, error %s\n", name, result.stage, strerror(result.error));
        expect(name, 0, "did not start");
    } else {
        char *text = read_all(pipes[0]);
        int ended = 0;
        expect(name, waitpid(result.pid, &ended, 0) == result.pid && ended == 0, "did not exit with 0");
        for (; *lines != NULL; lines++) {
            char line[200];
            snprintf(line, sizeof line, *lines, result.pid);
            int found = strstr(text, line) != NULL;
            expect(name, found, line);
            if (!found) fprintf(stderr, "%s\n", text);
        }
        free(text);
        close(result.pidfd);
    }
    close(pipes[0]);
    expect(name, open_descriptors() == before, "leaves descriptors open");
}

void expect_failure(const char *name, struct procctl_child_setup setup, int stage, int error) {
    struct procctl_child_result result;
    int before = open_descriptors();
    int status = procctl_child_spawn(&setup, &result);
    int holds = status == -1 && result.stage == stage && result.error == error;
    if (!holds) {
        fprintf(stderr, "%s: returned %d with stage %d, error %d, expected stage %d, error %d\n", name, status,
                result.stage, result.error, stage, error);
        if (status == 0) waitpid(result.pid, NULL, 0);
    }
    expect(name, holds, "did not fail as it should");
    expect(name, result.pid == -1 || status == 0, "names a process");
    expect(name, open_descriptors() == before, "leaves descriptors open");
    expect(name, waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "leaves a child behind");
}

void expect_failure_denied(const char *name, struct procctl_child_setup setup, int stage, long call,
                           struct denied_argument argument) {
    pid_t pid = fork();
    if (pid == 0) {
        checked = failed = 0;
        expect(name, deny_call(call, argument, EPERM) == 0, "no seccomp here");
        expect_failure(name, setup, stage, EPERM);
        // Not exit: the search for leaks needs calls that may be denied.
        _exit(failed > 0);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    expect(name, status == 0, "failed with a denied call");
}

int summary(void) {
    printf("%d expectations, %d not met\n", checked, failed);
    return failed > 0;
}
