// What is to go wrong, and when. See FaultInjection.h.
#define _GNU_SOURCE
#include "FaultInjection.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { CLAUSES = 16, RANGES = 8, TEXT_SIZE = 128, RECORD_SIZE = 4 << 20, BAD_PLAN = 97 };

struct clause {
    enum fault_call call;
    char filter[TEXT_SIZE];
    unsigned long first;
    int and_after;
    int every;
    struct fault fault;
    long delay;
    int crash;
    const char *what;
    atomic_ulong seen;
};

static const char *const names[] = {
#define FAULT_NAME(name) #name,
    FAULT_CALLS(FAULT_NAME)
#undef FAULT_NAME
};

static const struct { const char *name; int number; } errors[] = {
    {"EPERM", EPERM},     {"ENOENT", ENOENT},   {"ESRCH", ESRCH},     {"EINTR", EINTR},
    {"EIO", EIO},         {"EAGAIN", EAGAIN},   {"ENOMEM", ENOMEM},   {"EACCES", EACCES},
    {"EBUSY", EBUSY},     {"EEXIST", EEXIST},   {"ENODEV", ENODEV},   {"EINVAL", EINVAL},
    {"ENFILE", ENFILE},   {"EMFILE", EMFILE},   {"ENOSPC", ENOSPC},   {"EROFS", EROFS},
    {"EPIPE", EPIPE},     {"ENOSYS", ENOSYS},   {"ECHILD", ECHILD},   {"ETXTBSY", ETXTBSY},
    {"ENOTEMPTY", ENOTEMPTY}, {"EADDRINUSE", EADDRINUSE}, {"ENOBUFS", ENOBUFS},
    {"ECONNREFUSED", ECONNREFUSED}, {"ELOOP", ELOOP}, {"EWOULDBLOCK", EWOULDBLOCK},
    {"ENETDOWN", ENETDOWN}, {"EPROTONOSUPPORT", EPROTONOSUPPORT},
};

static struct { uintptr_t start, end; } own_code[RANGES];
static int own_code_count;
static struct clause clauses[CLAUSES];
static int clause_count;
static atomic_ulong counters[FAULT_CALL_COUNT];
static void *reals[FAULT_CALL_COUNT];
static int is_active;
static const char *gate;
static int hangs_at_exit;
static char *record;
static atomic_size_t recorded;

// Calls before our initialiser find the address when they need it; afterwards it is there.
void *fault_real(enum fault_call call) {
    if (reals[call] == NULL) reals[call] = dlsym(RTLD_NEXT, names[call]);
    return reals[call];
}

// MARK: Per call

static int is_own(const void *caller) {
    for (int index = 0; index < own_code_count; index++)
        if ((uintptr_t)caller >= own_code[index].start && (uintptr_t)caller < own_code[index].end) return 1;
    return 0;
}

static size_t put(char *line, size_t at, size_t size, const char *text) {
    for (; *text != 0 && at < size; text++) line[at++] = *text == '\n' ? '?' : *text;
    return at;
}

static size_t put_number(char *line, size_t at, size_t size, unsigned long number) {
    char digits[24];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (count > 0 && at < size) line[at++] = digits[--count];
    return at;
}

static void list(enum fault_call call, unsigned long index, const char *detail, const char *what) {
    if (record == NULL) return;
    char line[2 * TEXT_SIZE];
    size_t size = sizeof line - 1, length = 0;
    length = put(line, length, size, names[call]);
    length = put(line, length, size, " ");
    length = put_number(line, length, size, index);
    length = put(line, length, size, " ");
    length = put(line, length, size, detail);
    if (what != NULL) {
        length = put(line, length, size, " !");
        length = put(line, length, size, what);
    }
    line[length++] = '\n';
    size_t start = atomic_fetch_add(&recorded, length);
    if (start + length <= RECORD_SIZE) memcpy(record + start, line, length);
}

static int contains(const char *text, const char *part) {
    size_t length = strlen(part);
    for (; strlen(text) >= length; text++) {
        if (strncmp(text, part, length) == 0) return 1;
        if (*text == 0) break;
    }
    return 0;
}

static int is_open(void) { return gate == NULL || syscall(SYS_faccessat, AT_FDCWD, gate, F_OK) == 0; }

static void crash(int signal) {
    if (signal == SIGILL) __builtin_trap();
    if (signal == SIGABRT) abort();
    *(volatile int *)NULL = 0;
}

static int is_due(struct clause *clause, enum fault_call call, const char *detail) {
    if (clause->call != call || (clause->filter[0] != 0 && !contains(detail, clause->filter))) return 0;
    unsigned long index = atomic_fetch_add(&clause->seen, 1) + 1;
    if (clause->every) return index % clause->first == 0;
    return clause->and_after ? index >= clause->first : index == clause->first;
}

struct fault fault_at(enum fault_call call, const void *caller, const char *text, long number) {
    struct fault fault = {0, 0};
    if (!is_active || !is_own(caller)) return fault;
    int saved = errno;
    char detail[TEXT_SIZE];
    size_t length = text != NULL ? put(detail, 0, sizeof detail - 1, text) : 0;
    if (text == NULL) {
        if (number < 0) length = put(detail, 0, sizeof detail - 1, "-");
        length = put_number(detail, length, sizeof detail - 1, number < 0 ? 0UL - (unsigned long)number
                                                                          : (unsigned long)number);
    }
    detail[length] = 0;
    unsigned long index = atomic_fetch_add(&counters[call], 1) + 1;
    struct clause *due = NULL;
    for (int position = 0; position < clause_count && is_open(); position++)
        if (is_due(&clauses[position], call, detail)) due = &clauses[position];
    list(call, index, detail, due != NULL ? due->what : NULL);
    if (due != NULL) {
        if (due->crash != 0) crash(due->crash);
        fault = due->fault;
        if (due->delay > 0) {
            struct timespec left = {due->delay / 1000, due->delay % 1000 * 1000000};
            while (syscall(SYS_nanosleep, &left, &left) != 0 && errno == EINTR) {
            }
        }
    }
    errno = saved;
    return fault;
}

// MARK: Before main

static void reject(const char *clause) {
    char line[2 * TEXT_SIZE];
    size_t length = put(line, 0, sizeof line - 1, "fault injection: cannot read: ");
    length = put(line, length, sizeof line - 1, clause);
    line[length++] = '\n';
    ssize_t ignored = write(2, line, length);
    (void)ignored;
    _exit(BAD_PLAN);
}

static unsigned long read_count(const char *text, const char **rest, const char *clause) {
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (end == text || errno != 0 || *text == '-' || *text == '+') reject(clause);
    *rest = end;
    return number;
}

static void read_what(struct clause *clause, const char *what, const char *whole) {
    const char *rest = "";
    clause->what = what;
    if (strcmp(what, "short") == 0) {
        clause->fault.is_short = 1;
        return;
    }
    if (strncmp(what, "delay:", 6) == 0) {
        clause->delay = (long)read_count(what + 6, &rest, whole);
        if (*rest != 0) reject(whole);
        return;
    }
    if (strncmp(what, "crash:", 6) == 0) {
        clause->crash = strcmp(what + 6, "ILL") == 0    ? SIGILL
                        : strcmp(what + 6, "SEGV") == 0 ? SIGSEGV
                        : strcmp(what + 6, "ABRT") == 0 ? SIGABRT
                                                        : 0;
        if (clause->crash == 0) reject(whole);
        return;
    }
    for (size_t index = 0; index < sizeof errors / sizeof *errors; index++)
        if (strcmp(errors[index].name, what) == 0) clause->fault.error = errors[index].number;
    if (clause->fault.error == 0) reject(whole);
}

// CALL[~TEXT]@WHEN=WHAT; the text is ours and is taken apart in place.
static void read_clause(char *text) {
    char whole[TEXT_SIZE] = {0};
    put(whole, 0, sizeof whole - 1, text);
    if (clause_count == CLAUSES) reject(whole);
    struct clause *clause = &clauses[clause_count++];
    char *when = strrchr(text, '@');
    char *what = when != NULL ? strchr(when, '=') : NULL;
    if (what == NULL) reject(whole);
    *when++ = 0;
    *what++ = 0;
    char *filter = strchr(text, '~');
    if (filter != NULL) {
        *filter++ = 0;
        put(clause->filter, 0, sizeof clause->filter - 1, filter);
    }
    clause->call = FAULT_CALL_COUNT;
    for (int call = 0; call < FAULT_CALL_COUNT; call++)
        if (strcmp(names[call], text) == 0) clause->call = (enum fault_call)call;
    if (clause->call == FAULT_CALL_COUNT) reject(whole);
    clause->every = *when == '%';
    const char *rest;
    clause->first = read_count(when + clause->every, &rest, whole);
    clause->and_after = *rest == '+';
    if (clause->first == 0 || rest[clause->and_after] != 0 || (clause->every && clause->and_after)) reject(whole);
    read_what(clause, what, whole);
}

static void open_record(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, RECORD_SIZE) != 0) reject(path);
    void *memory = mmap(NULL, RECORD_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (memory == MAP_FAILED) reject(path);
    record = memory;
}

// The program itself comes first and has no name. Swift's own wrappers of variadic
// functions (open, fcntl, ioctl) lie in a library if Swift's are linked dynamically.
static int note_code(struct dl_phdr_info *info, size_t size, void *is_first) {
    (void)size;
    int *first = is_first;
    if (*first || strstr(info->dlpi_name, "libswiftGlibc") != NULL)
        for (int index = 0; index < info->dlpi_phnum && own_code_count < RANGES; index++) {
            const ElfW(Phdr) *header = &info->dlpi_phdr[index];
            if (header->p_type != PT_LOAD || !(header->p_flags & PF_X)) continue;
            own_code[own_code_count].start = info->dlpi_addr + header->p_vaddr;
            own_code[own_code_count++].end = info->dlpi_addr + header->p_vaddr + header->p_memsz;
        }
    *first = 0;
    return 0;
}

__attribute__((constructor)) static void begin(void) {
    const char *given = getenv("PROCCTL_FAULTS");
    if (given == NULL) return;
    char *plan = strdup(given);
    if (plan == NULL) reject("no memory");
    const char *program = "procctl", *file = NULL;
    char *rest = plan;
    for (char *clause; (clause = strsep(&rest, ";")) != NULL;) {
        if (strncmp(clause, "program=", 8) == 0) program = clause + 8;
        else if (strncmp(clause, "record=", 7) == 0) file = clause + 7;
        else if (strncmp(clause, "after=", 6) == 0) gate = clause + 6;
        else if (strcmp(clause, "at-exit=hang") == 0) hangs_at_exit = 1;
        else if (*clause != 0) read_clause(clause);
    }
    if (strcmp(program_invocation_short_name, program) != 0) return;
    unsetenv("PROCCTL_FAULTS");
    unsetenv("LD_PRELOAD");
    if (file != NULL) open_record(file);
    for (int call = 0; call < FAULT_CALL_COUNT; call++) fault_real((enum fault_call)call);
    int is_first = 1;
    dl_iterate_phdr(note_code, &is_first);
    is_active = 1;
}

__attribute__((destructor)) static void finish(void) {
    while (is_active && hangs_at_exit) pause();
}
