// Actions of test-workload that have clients, and answer requests to stop in every way there is.
#define _GNU_SOURCE
#include "workload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { LISTENERS = 2, CONNECTIONS = 64, DRIP_MILLISECONDS = 50 };

static volatile sig_atomic_t is_draining;
static sigset_t drain_signals;
static int sets_reuse = 1;

static void on_drain(int signal) {
    (void)signal;
    is_draining = 1;
}

static void drain_on(int which) {
    struct sigaction action = {.sa_handler = on_drain};
    sigaction(which, &action, NULL);
    sigaddset(&drain_signals, which);
    // Seen only while poll waits, so that none comes between the look and the wait.
    sigprocmask(SIG_BLOCK, &drain_signals, NULL);
}

static int listen_tcp(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &sets_reuse, sizeof sets_reuse);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 64) != 0) fail("listen");
    return fd;
}

static int listen_unix(const char *path) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (fd < 0 || length >= sizeof address.sun_path) fail(path);
    memcpy(address.sun_path, path, length);
    if (path[0] == '@') address.sun_path[0] = 0;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (path[0] != '@') unlink(path);
    if (bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, 64) != 0) fail(path);
    return fd;
}

static int say(int fd, const char *text) {
    return send(fd, text, strlen(text), MSG_NOSIGNAL) >= 0;
}

// Answers, and says whether it stops now: once its clients have left.
static int answer(int fd, const char *how, int clients) {
    char text[256];
    if (strcmp(how, "ok") == 0 || strcmp(how, "ok-now") == 0) {
        char body[128];
        int length = snprintf(body, sizeof body, "{\"clients\": {\"connected\": %d, \"requests\": 0}}", clients);
        snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", length, body);
        say(fd, text);
        if (strcmp(how, "ok-now") == 0) _exit(0);
        return 1;
    }
    if (strcmp(how, "404") == 0) {
        say(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    } else if (strcmp(how, "garbage") == 0) {
        say(fd, "\x16\x03\x01 what?\r\n\r\n");
    } else if (strcmp(how, "drip") == 0) {
        for (const char *head = "HTTP/1.1 200 OK\r\nX-Drip: "; say(fd, "x") && *head != 0; head++)
            sleep_milliseconds(DRIP_MILLISECONDS);
        while (say(fd, "x")) sleep_milliseconds(DRIP_MILLISECONDS);
    } else if (strcmp(how, "drip-body") == 0) {
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        while (say(fd, "x")) sleep_milliseconds(DRIP_MILLISECONDS);
        return 1;
    } else if (strcmp(how, "huge") == 0) {
        char block[4096];
        memset(block, '[', sizeof block - 1);
        block[sizeof block - 1] = 0;
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
        while (say(fd, block)) {
        }
        return 1;
    }
    return 0;
}

static void serve(int port, const char *path, const char *how) {
    struct pollfd fds[LISTENERS + CONNECTIONS];
    // A request that is never answered is no client.
    int is_client[LISTENERS + CONNECTIONS] = {0};
    int used = LISTENERS, clients = 0;
    sigset_t none;
    sigemptyset(&none);
    fds[0] = (struct pollfd){.fd = port == 0 ? -1 : listen_tcp(port), .events = POLLIN};
    fds[1] = (struct pollfd){.fd = strcmp(path, "-") == 0 ? -1 : listen_unix(path), .events = POLLIN};
    for (;;) {
        if (is_draining) {
            for (int index = 0; index < LISTENERS; index++) {
                if (fds[index].fd >= 0) close(fds[index].fd);
                fds[index].fd = -1;
            }
            if (clients == 0) _exit(0);
        }
        if (ppoll(fds, (nfds_t)used, NULL, &none) < 0) continue;
        for (int index = 0; index < used; index++) {
            if (fds[index].fd < 0 || fds[index].revents == 0) continue;
            if (index < LISTENERS) {
                int fd = accept4(fds[index].fd, NULL, NULL, SOCK_CLOEXEC);
                if (fd < 0 || used == LISTENERS + CONNECTIONS) continue;
                is_client[used] = 1;
                clients++;
                fds[used++] = (struct pollfd){.fd = fd, .events = POLLIN};
                continue;
            }
            char request[4096] = {0};
            ssize_t length = recv(fds[index].fd, request, sizeof request - 1, 0);
            int is_request = length > 0 && strncmp(request, "POST ", 5) == 0;
            if (length > 0 && !is_request) continue;
            if (is_client[index]) clients--;
            is_client[index] = 0;
            if (is_request && strcmp(how, "hang") == 0) continue;
            if (is_request && answer(fds[index].fd, how, clients)) is_draining = 1;
            close(fds[index].fd);
            fds[index].fd = -1;
        }
    }
}

int serve_clients(char **words, int index) {
    const char *action = words[index];
    if (strcmp(action, "serve") == 0) {
        int port = number(words[++index]);
        const char *path = words[++index];
        serve(port, path, words[++index]);
    } else if (strcmp(action, "drain-on") == 0) {
        const char *which = words[++index];
        drain_on(strcmp(which, "TERM") == 0 ? SIGTERM : strcmp(which, "INT") == 0 ? SIGINT : number(which));
    } else if (strcmp(action, "no-reuse") == 0) {
        sets_reuse = 0;
    } else if (strcmp(action, "without-net-admin") == 0) {
        // Whoever is not root has none to lose.
        if (geteuid() == 0 && prctl(PR_CAPBSET_DROP, (unsigned long)CAP_NET_ADMIN, 0UL, 0UL, 0UL) != 0)
            fail("without-net-admin");
    } else {
        return -1;
    }
    return index;
}
