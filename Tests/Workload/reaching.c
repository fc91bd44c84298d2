// Can be reached, and reaches others: the sockets of a worker.
#define _GNU_SOURCE
#include "workload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int listener(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    if (fd < 0) fail("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) fail("bind");
    if (listen(fd, 64) != 0) fail("listen");
    return fd;
}

// On [::1] and on no address of IPv4.
static void listen_v6(int port) {
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0) fail("socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    address.sin6_addr = in6addr_loopback;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 64) != 0) fail("listen6");
}

static void connect_unix(int fd, const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof address.sun_path) fail("path of a socket");
    memcpy(address.sun_path, path, length);
    if (path[0] == '@') address.sun_path[0] = 0;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    if (connect(fd, (struct sockaddr *)&address, size) != 0) fail(path);
}

static void notify(const char *text) {
    const char *path = getenv("NOTIFY_SOCKET");
    if (path == NULL) fail("NOTIFY_SOCKET");
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket");
    connect_unix(fd, path);
    write_all(fd, text, strlen(text));
    close(fd);
}

void lend(int listening, const char *path) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("socket");
    connect_unix(fd, path);
    char byte = 0;
    union { char bytes[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
    memset(&control, 0, sizeof control);
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &listening, sizeof listening);
    if (sendmsg(fd, &message, MSG_NOSIGNAL) != 1) fail("sendmsg");
    close(fd);
}

static void serve_http(int port, int obedient) {
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
    static const char absent[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    int fd = listener(port);
    for (;;) {
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0) {
            if (errno == EINTR || errno == ECONNABORTED) continue;
            fail("accept");
        }
        char request[4096] = {0};
        ssize_t length = 0;
        while (length < (ssize_t)sizeof request - 1 && strstr(request, "\r\n\r\n") == NULL) {
            ssize_t got = read(client, request + length, sizeof request - 1 - (size_t)length);
            if (got <= 0) break;
            length += got;
        }
        int is_absent = strncmp(request, "GET /absent", 11) == 0;
        ssize_t written = is_absent ? write(client, absent, sizeof absent - 1) : write(client, ok, sizeof ok - 1);
        (void)written;
        close(client);
        if (obedient && strncmp(request, "POST /shutdown", 14) == 0) _exit(0);
    }
}

int reach(char **words, int index) {
    const char *action = words[index];
    if (strcmp(action, "listen") == 0) {
        listener(number(words[++index]));
    } else if (strcmp(action, "listen6") == 0) {
        listen_v6(number(words[++index]));
    } else if (strcmp(action, "http") == 0) {
        serve_http(number(words[++index]), 1);
    } else if (strcmp(action, "http-stubborn") == 0) {
        serve_http(number(words[++index]), 0);
    } else if (strcmp(action, "lend-listener") == 0) {
        int port = number(words[++index]);
        lend(listener(port), words[++index]);
    } else if (strcmp(action, "notify") == 0) {
        notify(words[++index]);
    } else {
        return -1;
    }
    return index;
}
