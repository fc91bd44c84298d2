// A program that misbehaves on request, for the system tests.
//
//   test-workload ACTION... : actions in order, then it waits for signals.
//
//   ignore SIGNAL          ignores it
//   exit-on SIGNAL STATUS  exits with the status when it comes
//   slow-exit SIGNAL MS    exits 0 that many milliseconds after it
//   child [ACTION... end]  forks a child that goes on with these actions
//   session                setsid
//   daemonize              double fork and setsid: the rest runs in the daemon, the caller goes on
//                          with what follows `end`
//   listen PORT            listens on 127.0.0.1:PORT and keeps accepting (no answer)
//   http PORT              answers every request with 200 and closes; POST /shutdown ends it
//   touch FILE             makes the file: a test can wait for it
//   exit STATUS            exits now
//   raise SIGNAL           dies of it, with the default action
//   hold                   keeps going until a signal ends it (also the default at the end)
//
// Nothing here runs for longer than its life time limit, whatever happens to
// the test that started it.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIFE_SECONDS = 60, SIGNALS = 65 };

static int exit_status[SIGNALS];
static int exit_delay[SIGNALS];

static void fail(const char *what) {
    perror(what);
    _exit(99);
}

static int number(const char *text) {
    char *end;
    long value = strtol(text, &end, 10);
    if (*end != 0) {
        fprintf(stderr, "test-workload: not a number: %s\n", text);
        _exit(98);
    }
    return (int)value;
}

static int signal_number(const char *name) {
    static const struct { const char *name; int number; } names[] = {
        {"TERM", SIGTERM}, {"INT", SIGINT}, {"HUP", SIGHUP}, {"QUIT", SIGQUIT},
        {"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"KILL", SIGKILL}, {"ABRT", SIGABRT},
    };
    for (size_t index = 0; index < sizeof names / sizeof *names; index++)
        if (strcmp(name, names[index].name) == 0) return names[index].number;
    return number(name);
}

static void on_signal(int signal) {
    if (exit_delay[signal] > 0) {
        struct timespec delay = {exit_delay[signal] / 1000, exit_delay[signal] % 1000 * 1000000L};
        while (nanosleep(&delay, &delay) != 0 && errno == EINTR) {
        }
    }
    _exit(exit_status[signal]);
}

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

static void serve_http(int port) {
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";
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
        ssize_t written = write(client, ok, sizeof ok - 1);
        (void)written;
        close(client);
        if (strncmp(request, "POST /shutdown", 14) == 0) _exit(0);
    }
}

static void hold(void) {
    for (;;) pause();
}

// The index after the `end` that belongs to the word at `start`.
static int after_end(char **words, int start) {
    int depth = 1;
    for (int index = start; words[index] != NULL; index++) {
        if (strcmp(words[index], "child") == 0 || strcmp(words[index], "daemonize") == 0) depth++;
        if (strcmp(words[index], "end") == 0 && --depth == 0) return index + 1;
    }
    fprintf(stderr, "test-workload: missing end\n");
    _exit(98);
}

static void perform(char **words, int index) {
    for (; words[index] != NULL && strcmp(words[index], "end") != 0; index++) {
        const char *action = words[index];
        if (strcmp(action, "ignore") == 0) {
            signal(signal_number(words[++index]), SIG_IGN);
        } else if (strcmp(action, "exit-on") == 0) {
            int which = signal_number(words[++index]);
            exit_status[which] = number(words[++index]);
            signal(which, on_signal);
        } else if (strcmp(action, "slow-exit") == 0) {
            int which = signal_number(words[++index]);
            exit_delay[which] = number(words[++index]);
            signal(which, on_signal);
        } else if (strcmp(action, "child") == 0) {
            int next = after_end(words, index + 1);
            pid_t pid = fork();
            if (pid < 0) fail("fork");
            if (pid == 0) {
                alarm(LIFE_SECONDS);
                perform(words, index + 1);
                hold();
            }
            index = next - 1;
        } else if (strcmp(action, "daemonize") == 0) {
            int next = after_end(words, index + 1);
            pid_t pid = fork();
            if (pid < 0) fail("fork");
            if (pid == 0) {
                if (fork() != 0) _exit(0);
                if (setsid() < 0) fail("setsid");
                alarm(LIFE_SECONDS);
                perform(words, index + 1);
                hold();
            }
            while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
            }
            index = next - 1;
        } else if (strcmp(action, "session") == 0) {
            if (setsid() < 0) fail("setsid");
        } else if (strcmp(action, "listen") == 0) {
            listener(number(words[++index]));
        } else if (strcmp(action, "http") == 0) {
            serve_http(number(words[++index]));
        } else if (strcmp(action, "touch") == 0) {
            int fd = open(words[++index], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
            if (fd < 0) fail("touch");
            close(fd);
        } else if (strcmp(action, "exit") == 0) {
            _exit(number(words[++index]));
        } else if (strcmp(action, "raise") == 0) {
            int which = signal_number(words[++index]);
            prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
            signal(which, SIG_DFL);
            raise(which);
        } else if (strcmp(action, "hold") == 0) {
            hold();
        } else {
            fprintf(stderr, "test-workload: unknown action %s\n", action);
            _exit(98);
        }
    }
}

int main(int argc, char **argv) {
    (void)argc;
    alarm(LIFE_SECONDS);
    perform(argv, 1);
    hold();
}
