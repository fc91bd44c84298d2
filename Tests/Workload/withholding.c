// Stands between files and who uses them.
//
//   withhold DIRECTORY FIFO PID
//       Is asked by the kernel before a file in the directory is opened, read or written by anybody but
//       PID (fanotify(7), FAN_PRE_ACCESS: Linux 6.14, as root), and tells `watching`. From SIGUSR1 on,
//       told as `withholding`, it does not answer, as a server that is gone: whoever asks waits in state D,
//       and is told as `held`, with its own number. At SIGUSR2 it answers everybody, and tells `answering`.
//       When it ends, the kernel lets everybody go.
#define _GNU_SOURCE
#include "workload.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

#ifndef FAN_PRE_ACCESS
#define FAN_PRE_ACCESS 0x00100000
#endif

enum { MOST_HELD = 256 };
static int held[MOST_HELD];
static int held_count;

static void allow(int asked, int file) {
    struct fanotify_response response = {.fd = file, .response = FAN_ALLOW};
    if (write(asked, &response, sizeof response) != (ssize_t)sizeof response) fail("fanotify response");
    close(file);
}

static void tell_of(const char *fifo, const char *word, int pid) {
    char line[64];
    int fd = open(fifo, O_WRONLY | O_CLOEXEC);
    if (fd < 0) fail(fifo);
    int length = snprintf(line, sizeof line, "%s %d\n", word, pid);
    if (write(fd, line, (size_t)length) != length) fail("write");
    close(fd);
}

static void answer_or_hold(int asked, const char *fifo, int reader, int holds) {
    char buffer[8192] __attribute__((aligned(8)));
    ssize_t length = read(asked, buffer, sizeof buffer);
    struct fanotify_event_metadata *event = (struct fanotify_event_metadata *)buffer;
    for (; FAN_EVENT_OK(event, length); event = FAN_EVENT_NEXT(event, length)) {
        if (event->fd < 0) continue;
        if (!holds || event->pid == reader || held_count == MOST_HELD) {
            allow(asked, event->fd);
        } else {
            held[held_count++] = event->fd;
            tell_of(fifo, "held", event->pid);
        }
    }
}

static void withhold(const char *directory, const char *fifo, int reader) {
    sigset_t orders;
    sigemptyset(&orders);
    sigaddset(&orders, SIGUSR1);
    sigaddset(&orders, SIGUSR2);
    sigprocmask(SIG_BLOCK, &orders, NULL);
    int told = signalfd(-1, &orders, SFD_CLOEXEC);
    int asked = fanotify_init(FAN_CLASS_PRE_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK,
                              O_RDONLY | O_LARGEFILE | O_CLOEXEC);
    if (told < 0 || asked < 0) fail("fanotify_init");
    if (fanotify_mark(asked, FAN_MARK_ADD, FAN_PRE_ACCESS | FAN_OPEN_PERM | FAN_EVENT_ON_CHILD, AT_FDCWD,
                      directory) != 0)
        fail("fanotify_mark");
    tell(fifo, "watching");
    for (int holds = 0;;) {
        struct pollfd both[] = {{.fd = told, .events = POLLIN}, {.fd = asked, .events = POLLIN}};
        if (poll(both, 2, -1) < 0) continue;
        struct signalfd_siginfo order;
        if (both[0].revents != 0 && read(told, &order, sizeof order) == (ssize_t)sizeof order) {
            holds = order.ssi_signo == SIGUSR1;
            if (!holds)
                while (held_count > 0) allow(asked, held[--held_count]);
            tell(fifo, holds ? "withholding" : "answering");
        }
        if (both[1].revents != 0) answer_or_hold(asked, fifo, reader, holds);
    }
}

int keep_from(char **words, int index) {
    if (strcmp(words[index], "withhold") != 0) return -1;
    withhold(words[index + 1], words[index + 2], number(words[index + 3]));
    return index + 3;
}
