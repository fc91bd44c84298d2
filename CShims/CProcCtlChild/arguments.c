#include "CProcCtlArguments.h"

#include <stddef.h>

static int count;
static char *const *arguments;

// glibc calls initialisers with main's arguments.
__attribute__((constructor)) static void remember(int argc, char **argv) {
    count = argc;
    arguments = argv;
}

int procctl_argument_count(void) { return count; }

const char *procctl_argument(int index) {
    return arguments != NULL && index >= 0 && index < count ? arguments[index] : NULL;
}
