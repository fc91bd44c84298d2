// Starts a program in a new process that first changes what posix_spawn(3)
// cannot change: user, groups, capabilities, limits, cgroup and so on.
#ifndef CPROCCTL_CHILD_H
#define CPROCCTL_CHILD_H

#include "CProcCtlArguments.h"
#include "CProcCtlLastResort.h"
#include "CProcCtlResidency.h"
#include "CProcCtlTrial.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

// Where the child was when it failed. The numbers are part of no file format.
enum procctl_child_stage {
    PROCCTL_STAGE_NONE = 0,
    PROCCTL_STAGE_FORK,
    PROCCTL_STAGE_SIGNALS,
    PROCCTL_STAGE_SESSION,
    PROCCTL_STAGE_USER_NAMESPACE,
    PROCCTL_STAGE_PROC_MOUNT,
    PROCCTL_STAGE_TERMINAL,
    PROCCTL_STAGE_CGROUP,
    PROCCTL_STAGE_OOM_SCORE,
    PROCCTL_STAGE_NICE,
    PROCCTL_STAGE_LIMITS,
    PROCCTL_STAGE_DESCRIPTORS,
    PROCCTL_STAGE_GROUPS,
    PROCCTL_STAGE_GROUP,
    PROCCTL_STAGE_BOUNDING_SET,
    PROCCTL_STAGE_USER,
    PROCCTL_STAGE_CAPABILITIES,
    PROCCTL_STAGE_AMBIENT,
    PROCCTL_STAGE_NO_NEW_PRIVILEGES,
    PROCCTL_STAGE_PARENT_DEATH_SIGNAL,
    PROCCTL_STAGE_DIRECTORY,
    PROCCTL_STAGE_EXEC,
};

struct procctl_limit {
    int resource;
    uint64_t soft, hard;
};

// `source` in the parent becomes `target` in the child. Sources and targets
// may overlap: the child moves every source out of the way first.
struct procctl_descriptor {
    int source, target;
};

// A pid namespace comes with a mount namespace, so that /proc can be its own;
// without CAP_SYS_ADMIN it needs a user namespace around it, in which the
// calling user and group are the only ones.
enum procctl_namespace {
    PROCCTL_NAMESPACE_NONE = 0,
    PROCCTL_NAMESPACE_PID,
    PROCCTL_NAMESPACE_PID_IN_USER,
};

struct procctl_child_setup {
    const char *path;                               // NULL: exit with 0 instead
    char *const *arguments;
    char *const *environment;
    const char *directory;                          // NULL: unchanged

    const struct procctl_descriptor *descriptors;   // everything else is closed
    size_t descriptor_count;

    int process_namespace;                          // enum procctl_namespace
    uid_t namespace_user;                           // mapped to themselves in a user namespace
    gid_t namespace_group;
    int new_session;                                // setsid
    int new_group;                                  // setpgid(0, 0)
    int foreground_terminal;                        // tcsetpgrp on this descriptor, -1: no

    int cgroup_procs;                               // open cgroup.procs, -1: unchanged
    int set_user;
    uid_t user;
    int set_group;
    gid_t group;
    int set_groups;
    const gid_t *groups;
    size_t group_count;

    int set_capabilities;                           // to exactly these; 0: as execve leaves them
    uint64_t capabilities;                          // permitted, effective, inheritable
    uint64_t ambient;
    uint64_t bounding;
    int keep_bounding;                              // leave the bounding set alone

    int no_new_privileges;
    int parent_death_signal;                        // 0: none
    int set_umask;
    mode_t umask;
    int set_nice;
    int nice;
    const char *oom_score;                          // decimal text; NULL: unchanged
    const struct procctl_limit *limits;
    size_t limit_count;
};

struct procctl_child_result {
    pid_t pid;
    int pidfd;
    int stage;       // enum procctl_child_stage, NONE if the program runs
    int error;       // errno at that stage
};

// Blocks until the program runs or the set-up failed; a failed child is reaped.
// Returns 0, or -1 with `stage` and `error` filled in.
int procctl_child_spawn(const struct procctl_child_setup *setup, struct procctl_child_result *result);

#endif
