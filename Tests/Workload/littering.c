// Leaves behind what is not a process.
#define _GNU_SOURCE
#include "workload.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int listen_unix(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof address.sun_path) fail("path of a socket");
    memcpy(address.sun_path, path, length);
    if (path[0] == '@') address.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 4) != 0) fail(path);
    return fd;
}

static void borrow(const char *path, const char *fifo, const char *word) {
    int listening = listen_unix(path);
    tell(fifo, word);
    int connection = accept(listening, NULL, NULL);
    if (connection < 0) fail("accept");
    char byte;
    union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    if (recvmsg(connection, &message, MSG_CMSG_CLOEXEC) != 1 || CMSG_FIRSTHDR(&message) == NULL) fail("borrow");
    close(connection);
    close(listening);
}

// A file below a directory that a variable of the environment names.
static void touch_in(const char *variable, const char *name) {
    char path[4096];
    const char *directory = getenv(variable);
    if (directory == NULL) fail(variable);
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) fail(path);
    close(fd);
}

static void link_in(const char *variable, const char *name, const char *target) {
    char path[4096];
    const char *directory = getenv(variable);
    if (directory == NULL) fail(variable);
    snprintf(path, sizeof path, "%s/%s", directory, name);
    if (symlink(target, path) != 0) fail(path);
}

static void socket_in(const char *variable, const char *name) {
    char path[4096];
    const char *directory = getenv(variable);
    if (directory == NULL) fail(variable);
    snprintf(path, sizeof path, "%s/%s", directory, name);
    listen_unix(path);
}

static void deep_in(const char *variable, int depth) {
    const char *directory = getenv(variable);
    if (directory == NULL || chdir(directory) != 0) fail(variable);
    for (int level = 0; level < depth; level++)
        if (mkdir("d", 0000) != 0 || chmod("d", 0700) != 0 || chdir("d") != 0) fail("deep-in");
}

static void leave_ipc(const char *name) {
    char path[256];
    if (shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600) < 0) fail("shmget");
    if (semget(IPC_PRIVATE, 1, IPC_CREAT | 0600) < 0) fail("semget");
    if (msgget(IPC_PRIVATE, IPC_CREAT | 0600) < 0) fail("msgget");
    snprintf(path, sizeof path, "/%s", name);
    int fd = shm_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) fail("shm_open");
    close(fd);
}

// An abstract socket of ours goes to the Unix socket, by SCM_RIGHTS, once there is one.
static void lend_unix(const char *path) {
    char name[64];
    snprintf(name, sizeof name, "@procctl-lent-%d", (int)getpid());
    int listening = listen_unix(name);
    for (int tries = 0; access(path, F_OK) != 0 && tries < 1000; tries++) sleep_milliseconds(10);
    lend(listening, path);
}

int litter(char **words, int index) {
    const char *action = words[index];
    if (strcmp(action, "borrow") == 0) {
        borrow(words[index + 1], words[index + 2], words[index + 3]);
        index += 3;
    } else if (strcmp(action, "touch-in") == 0) {
        touch_in(words[index + 1], words[index + 2]);
        index += 2;
    } else if (strcmp(action, "link-in") == 0) {
        link_in(words[index + 1], words[index + 2], words[index + 3]);
        index += 3;
    } else if (strcmp(action, "socket-in") == 0) {
        socket_in(words[index + 1], words[index + 2]);
        index += 2;
    } else if (strcmp(action, "listen-unix") == 0) {
        listen_unix(words[++index]);
    } else if (strcmp(action, "deep-in") == 0) {
        deep_in(words[index + 1], number(words[index + 2]));
        index += 2;
    } else if (strcmp(action, "lend-unix") == 0) {
        lend_unix(words[++index]);
    } else if (strcmp(action, "leave-ipc") == 0) {
        leave_ipc(words[++index]);
    } else {
        return -1;
    }
    return index;
}
