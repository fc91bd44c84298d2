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
//   block SIGNAL           blocks it
//   join DIRECTORY         moves into the cgroup
//   touch FILE             makes the file: a test can wait for it
//   tell FIFO WORD         writes the line `WORD PID` to the fifo
//   await FIFO             waits until something can be read from the fifo
//   report-signals FIFO    tells `ready`, then `signal-N` for every signal N that comes; TERM ends it
//   hop MILLISECONDS       again and again: forks, and the parent exits, so that it is never the same
//                          process for longer than that
//   user NUMBER            becomes this user for good (a set-user-ID copy can, or root)
//   exit STATUS            exits now
//   raise SIGNAL           dies of it, with the default action
//   exec PROGRAM ARG...    becomes the program: all words that follow are its
//   hold                   keeps going until a signal ends it (also the default at the end)
//
//   reaching.c
//   listen PORT            listens on 127.0.0.1:PORT and leaves every connection in the queue
//   http PORT              answers every request with 200 and closes; POST /shutdown ends it
//   http-stubborn PORT     the same, but POST /shutdown is answered and not obeyed
//   listen6 PORT           listens on [::1]:PORT alone
//   lend-listener PORT P   listens on 127.0.0.1:PORT and sends the socket to the Unix socket P
//                          (SCM_RIGHTS), so that the port outlives this process
//   notify TEXT            sends TEXT to NOTIFY_SOCKET, as sd_notify(3) does
//
//   breeding.c
//   hop-session MS         as hop, in a new session each time
//   storm FILE COUNT       every process forks for as long as it may, and one in two of them then ends,
//                          until COUNT have been born; how many were is the first number in FILE
//   many COUNT [ACTION... end]  as many children, which go on with these actions
//   deep COUNT             a chain of that many processes, each the parent of the next; the last goes on
//   orphans COUNT          makes as many that live for some milliseconds and whose parent is gone
//   fork-as PID [ACTION... end]  a child with that very pid (clone3(2), set_tid: as root)
//   reap                   waits for one child to end, and reaps it
//
//   hiding.c
//   name TEXT              names itself so (prctl(2), PR_SET_NAME)
//   wipe                   overwrites its arguments and environment, and may not be dumped any more
//   pid-namespace [ACTION... end]  in a new user and pid namespace, whose first process goes on with these
//                          actions
//   burrow COUNT           moves into as many new cgroups, one below the other, below its own
//   in-thread              the main thread ends; another goes on
//
//   lingering.c
//   subreaper              adopts orphans, and does not reap them
//   stop-group             stops its process group (SIGSTOP)
//   vfork [ACTION... end]  a child made by vfork, which never lets go of its parent
//   trace PID              traces it (PTRACE_SEIZE), and never waits for it
//   trace-stop PID         traces it, and stops it
//   lock FILE              locks it (flock(2))
//   block-all              blocks every signal
//   limit-files COUNT      sets RLIMIT_NOFILE
//   limit-processes COUNT  sets RLIMIT_NPROC
//
//   serving.c
//   serve PORT PATH ANSWER listens on 127.0.0.1:PORT (0: not) and the Unix socket PATH (-: not), keeps its
//                          clients, and answers a POST: ok (and stops once its clients have left), ok-now,
//                          404, garbage, close, hang, drip, drip-body, huge
//   drain-on SIGNAL        `serve` stops at this signal once its clients have left
//   no-reuse               `serve` does not set SO_REUSEADDR
//   without-net-admin      no program executed from here on has CAP_NET_ADMIN
//   littering.c
//   borrow P FIFO WORD     listens on the Unix socket P, tells WORD, and keeps the socket it is sent there
//   touch-in VAR NAME      makes a file in the directory that the variable of the environment names
//   link-in VAR NAME PATH  makes a symbolic link there
//   socket-in VAR NAME     listens on a Unix socket there, and hands it down to what it becomes
//   deep-in VAR COUNT      makes as many directories there, one in the other
//   listen-unix P          listens on the Unix socket P, or the abstract one if P begins with @
//   lend-unix P            listens on an abstract socket and sends it to the Unix socket P, once that is there
//   leave-ipc NAME         leaves System V memory, semaphores and messages, and POSIX memory /NAME
//
//   withholding.c
//   withhold DIRECTORY FIFO PID  keeps everybody but PID from the files in it, when told to
//
// Nothing here runs for longer than its life time limit, whatever happens to
// the test that started it.
#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { HOP_SECONDS = 15, SIGNALS = 65 };

static int exit_status[SIGNALS];
static int exit_delay[SIGNALS];

void fail(const char *what) {
    perror(what);
    _exit(99);
}

int number(const char *text) {
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
        {"PIPE", SIGPIPE}, {"CHLD", SIGCHLD}, {"STOP", SIGSTOP},
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

void write_all(int fd, const char *text, size_t length) {
    if (write(fd, text, length) != (ssize_t)length) fail("write");
}

void tell(const char *fifo, const char *word) {
    char line[256];
    int fd = open(fifo, O_WRONLY | O_CLOEXEC);
    if (fd < 0) fail(fifo);
    int length = snprintf(line, sizeof line, "%s %d\n", word, (int)getpid());
    write_all(fd, line, (size_t)length);
    close(fd);
}

static void await(const char *fifo) {
    char byte;
    int fd = open(fifo, O_RDONLY | O_CLOEXEC);
    if (fd < 0) fail(fifo);
    while (read(fd, &byte, 1) < 0 && errno == EINTR) {
    }
    close(fd);
}

static void join(const char *cgroup) {
    char path[4096];
    snprintf(path, sizeof path, "%s/cgroup.procs", cgroup);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) fail(path);
    write_all(fd, "0", 1);
    close(fd);
}

static void block(int which) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, which);
    sigprocmask(SIG_BLOCK, &set, NULL);
}

static void report_signals(const char *fifo) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    tell(fifo, "ready");
    for (;;) {
        int which = sigwaitinfo(&all, NULL);
        if (which < 0) continue;
        // Our own life time limit is not news.
        if (which == SIGALRM) _exit(97);
        char word[32];
        snprintf(word, sizeof word, "signal-%d", which);
        tell(fifo, word);
        if (which == SIGTERM) _exit(0);
    }
}

long milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000L + now.tv_nsec / 1000000L;
}

static void hop(int pause_milliseconds) {
    struct timespec pause_time = {pause_milliseconds / 1000, pause_milliseconds % 1000 * 1000000L};
    long end = milliseconds() + HOP_SECONDS * 1000L;
    while (milliseconds() < end) {
        nanosleep(&pause_time, NULL);
        pid_t pid = fork();
        if (pid < 0) fail("fork");
        if (pid > 0) _exit(0);
    }
    _exit(0);
}

void hold(void) {
    for (;;) pause();
}

void sleep_milliseconds(int count) {
    struct timespec delay = {count / 1000, count % 1000 * 1000000L};
    while (nanosleep(&delay, &delay) != 0 && errno == EINTR) {
    }
}

static int opens_block(const char *word) {
    static const char *const words[] = {"child", "daemonize", "many", "fork-as", "pid-namespace", "vfork"};
    for (size_t index = 0; index < sizeof words / sizeof *words; index++)
        if (strcmp(word, words[index]) == 0) return 1;
    return 0;
}

int after_end(char **words, int start) {
    int depth = 1;
    for (int index = start; words[index] != NULL; index++) {
        if (opens_block(words[index])) depth++;
        if (strcmp(words[index], "end") == 0 && --depth == 0) return index + 1;
    }
    fprintf(stderr, "test-workload: missing end\n");
    _exit(98);
}

void live(char **words, int index) {
    alarm(LIFE_SECONDS);
    perform(words, index);
    hold();
}

static int elsewhere(char **words, int index) {
    int last = reach(words, index);
    if (last < 0) last = breed(words, index);
    if (last < 0) last = hide(words, index);
    if (last < 0) last = linger(words, index);
    if (last < 0) last = serve_clients(words, index);
    if (last < 0) last = litter(words, index);
    if (last < 0) last = keep_from(words, index);
    return last;
}

void perform(char **words, int index) {
    for (int after; words[index] != NULL && strcmp(words[index], "end") != 0; index++) {
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
        } else if (strcmp(action, "touch") == 0) {
            int fd = open(words[++index], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
            if (fd < 0) fail("touch");
            close(fd);
        } else if (strcmp(action, "block") == 0) {
            block(signal_number(words[++index]));
        } else if (strcmp(action, "join") == 0) {
            join(words[++index]);
        } else if (strcmp(action, "tell") == 0) {
            const char *fifo = words[++index];
            tell(fifo, words[++index]);
        } else if (strcmp(action, "await") == 0) {
            await(words[++index]);
        } else if (strcmp(action, "report-signals") == 0) {
            report_signals(words[++index]);
        } else if (strcmp(action, "hop") == 0) {
            hop(number(words[++index]));
        } else if (strcmp(action, "exec") == 0) {
            alarm(0);
            execvp(words[index + 1], words + index + 1);
            fail(words[index + 1]);
        } else if (strcmp(action, "user") == 0) {
            uid_t user = (uid_t)number(words[++index]);
            if (setresuid(user, user, user) != 0) fail("setresuid");
        } else if (strcmp(action, "exit") == 0) {
            _exit(number(words[++index]));
        } else if (strcmp(action, "raise") == 0) {
            int which = signal_number(words[++index]);
            prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
            signal(which, SIG_DFL);
            raise(which);
        } else if (strcmp(action, "hold") == 0) {
            hold();
        } else if ((after = elsewhere(words, index)) >= 0) {
            index = after;
        } else {
            fprintf(stderr, "test-workload: unknown action %s\n", action);
            _exit(98);
        }
    }
}

int main(int argc, char **argv) {
    // A copy, because `wipe` overwrites what was given.
    char **words = calloc((size_t)argc + 1, sizeof *words);
    if (words == NULL) fail("calloc");
    for (int index = 0; index < argc; index++)
        if ((words[index] = strdup(argv[index])) == NULL) fail("strdup");
    remember_start(argv, environ);
    live(words, 1);
}
