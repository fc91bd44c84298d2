// Tries in a child of its own, which ends at once, what this process could do.
// Nothing of it stays: identities and namespaces go with the child.
#ifndef CPROCCTL_TRIAL_H
#define CPROCCTL_TRIAL_H

enum procctl_trial {
    PROCCTL_TRIAL_CHANGE_USER,              // argument: the user and group to become
    PROCCTL_TRIAL_AMBIENT,                  // argument: the capability to pass on
    PROCCTL_TRIAL_CGROUP,                   // argument: an open cgroup.procs to move into
    PROCCTL_TRIAL_PID_NAMESPACE,
    PROCCTL_TRIAL_USER_AND_PID_NAMESPACE,
};

// What the trial failed at.
enum procctl_trial_stage {
    PROCCTL_TRIAL_DONE,
    PROCCTL_TRIAL_CHILD,                    // no child could be made; with namespaces: nor these
    PROCCTL_TRIAL_GROUPS,
    PROCCTL_TRIAL_GROUP,
    PROCCTL_TRIAL_USER,
    PROCCTL_TRIAL_INHERITABLE,
    PROCCTL_TRIAL_RAISE,
    PROCCTL_TRIAL_JOIN,
    PROCCTL_TRIAL_MAP,                      // user and group of the namespace
    PROCCTL_TRIAL_MOUNT,                    // a /proc of the namespace
    PROCCTL_TRIAL_LOST,                     // the child ended without a result
};

struct procctl_trial_result {
    int stage;      // enum procctl_trial_stage
    int error;      // errno at that stage
};

// Waits for the child and reaps it.
struct procctl_trial_result procctl_try(enum procctl_trial trial, int argument);

// A child that exits with this status at once; -1 and errno if there can be none.
int procctl_trial_child(int status);

#endif
