// What the files of test-workload share. The actions are described in main.c.
#ifndef TEST_WORKLOAD_H
#define TEST_WORKLOAD_H

#include <stddef.h>

enum { LIFE_SECONDS = 60, STORM_SECONDS = 30 };

// Says why on standard error and ends with 99.
void fail(const char *what);
// The number the word is, or the end.
int number(const char *text);
long milliseconds(void);
void sleep_milliseconds(int count);
// Writes the line `WORD PID` to the fifo.
void tell(const char *fifo, const char *word);
// Waits for signals until one ends the process.
void hold(void);
// The index after the `end` that belongs to the word at `start`.
int after_end(char **words, int start);
// Does what the words say, up to the `end` that belongs to the first of them.
void perform(char **words, int index);
// The same in a process just made, which then waits for signals.
void live(char **words, int index);

// Each of these files has actions of its own. They return the index of the last
// word they have used, or -1 if the action is not theirs.
int reach(char **words, int index);  // reaching.c: can be reached, and reaches others
int breed(char **words, int index);  // breeding.c: forks, and forks, and forks
int hide(char **words, int index);   // hiding.c: looks like something else, or like nothing
int linger(char **words, int index); // lingering.c: stays when others go
int serve_clients(char **words, int index); // serving.c: has clients
int litter(char **words, int index); // littering.c: leaves what is not a process
int keep_from(char **words, int index); // withholding.c: stands between files and who uses them

// Writes all of it at once, or ends.
void write_all(int fd, const char *text, size_t length);

// Sends the socket to the Unix socket at the path (SCM_RIGHTS).
void lend(int listening, const char *path);

// Where the words and the environment were given, for who wants to wipe them.
void remember_start(char **argv, char **environment);

#endif
