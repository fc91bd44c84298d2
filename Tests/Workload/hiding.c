// Looks like something else, or like nothing.
#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char *start_of_words;
static char *end_of_environment;

void remember_start(char **argv, char **environment) {
    start_of_words = argv[0];
    char **last = argv;
    for (char **entry = argv; *entry != NULL; entry++) last = entry;
    for (char **entry = environment; *entry != NULL; entry++) last = entry;
    end_of_environment = *last + strlen(*last);
}

static void wipe(void) {
    clearenv();
    memset(start_of_words, 0, (size_t)(end_of_environment - start_of_words));
    // Nothing that the kernel would show of it is left; without the right to say so, zeros are.
    prctl(PR_SET_MM, PR_SET_MM_ENV_END, (unsigned long)(uintptr_t)start_of_words, 0UL, 0UL);
    if (prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL) != 0) fail("PR_SET_DUMPABLE");
}

static void write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) fail(path);
    close(fd);
}

// As a rootless container does it: the first process of the namespaces goes on.
static void pid_namespace(char **words, int index) {
    char map[64];
    uid_t user = geteuid();
    gid_t group = getegid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS) != 0) fail("unshare");
    write_file("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "0 %u 1", (unsigned)user);
    write_file("/proc/self/uid_map", map);
    snprintf(map, sizeof map, "0 %u 1", (unsigned)group);
    write_file("/proc/self/gid_map", map);
    pid_t pid = fork();
    if (pid < 0) fail("fork");
    if (pid > 0) hold();
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) fail("make / private");
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0) fail("mount /proc");
    live(words, index);
}

// The path of the cgroup v2 of this process, as it is mounted; needs the whole tree to be visible.
static void own_cgroup(char *path, size_t size) {
    char line[4096], mount_point[2048] = "", own[1024] = "";
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    while (mounts != NULL && fgets(line, sizeof line, mounts) != NULL)
        if (strstr(line, " - cgroup2 ") != NULL)
            sscanf(line, "%*s %*s %*s %*s %2047s", mount_point);
    if (mounts != NULL) fclose(mounts);
    FILE *groups = fopen("/proc/self/cgroup", "re");
    while (groups != NULL && fgets(line, sizeof line, groups) != NULL)
        if (strncmp(line, "0::", 3) == 0) sscanf(line, "0::%1023s", own);
    if (groups != NULL) fclose(groups);
    if (mount_point[0] == 0 || own[0] == 0) fail("find the cgroup v2");
    snprintf(path, size, "%s%s", mount_point, own);
}

static void burrow(int count) {
    char path[4096];
    own_cgroup(path, sizeof path - 64);
    for (int level = 0; level < count; level++) {
        strcat(path, "/burrow");
        if (mkdir(path, 0755) != 0 && errno != EEXIST) fail(path);
        if (strlen(path) > sizeof path - 64) fail("too deep");
    }
    strcat(path, "/cgroup.procs");
    write_file(path, "0");
}

struct rest {
    char **words;
    int index;
};

static void *go_on(void *argument) {
    struct rest *rest = argument;
    // The leader is a zombie now, or will be in an instant: /proc shows Z for it.
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)getpid());
    for (int tries = 0; tries < 1000; tries++) {
        FILE *file = fopen(path, "re");
        if (file == NULL) break;
        char *got = fgets(line, sizeof line, file);
        fclose(file);
        if (got != NULL && strstr(line, ") Z ") != NULL) break;
        sleep_milliseconds(1);
    }
    perform(rest->words, rest->index);
    hold();
    return NULL;
}

static void in_thread(char **words, int index) {
    static struct rest rest;
    rest = (struct rest){words, index};
    pthread_t thread;
    if (pthread_create(&thread, NULL, go_on, &rest) != 0) fail("pthread_create");
    pthread_exit(NULL);
}

int hide(char **words, int index) {
    const char *action = words[index];
    if (strcmp(action, "name") == 0) {
        if (prctl(PR_SET_NAME, (unsigned long)(uintptr_t)words[++index], 0UL, 0UL, 0UL) != 0) fail("name");
    } else if (strcmp(action, "wipe") == 0) {
        wipe();
    } else if (strcmp(action, "pid-namespace") == 0) {
        int next = after_end(words, index + 1);
        pid_t pid = fork();
        if (pid < 0) fail("fork");
        if (pid == 0) {
            alarm(LIFE_SECONDS);
            pid_namespace(words, index + 1);
        }
        index = next - 1;
    } else if (strcmp(action, "burrow") == 0) {
        burrow(number(words[++index]));
    } else if (strcmp(action, "in-thread") == 0) {
        in_thread(words, index + 1);
    } else {
        return -1;
    }
    return index;
}
