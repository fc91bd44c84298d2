// What still works when nothing else does: its handlers run for real, in processes that die of them.
#ifndef LAST_RESORT_H
#define LAST_RESORT_H

void last_resort(void);

// Reads past the end of memory in a handler of a signal: the sanitizers must see that too.
int overflow_in_handler(void);

#endif
