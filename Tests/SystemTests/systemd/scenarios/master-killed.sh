#!/bin/bash
# The master is shot: its workers are ended at once, deaf ones too, and systemd brings the service back.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=assertions.sh
source "${0%/*}/assertions.sh"
# shellcheck source-path=SCRIPTDIR source=fleet.sh
source "${0%/*}/fleet.sh"

# Long enough to look at what is left before the next start.
adjust procctl.service RestartSec=5
worker alpha 8081 --obey none --orphan | configure procctl
succeeds "the service starts" systemctl start procctl.service
await_worker 5
pid=$started_pid
orphan=$started_orphan
master=$(property procctl.service MainPID)
matches "the worker is in a cgroup of its own" "*/alpha.1" "$(grep '^0::' "/proc/$pid/cgroup")"
# Control: it takes more than a signal to its session to get rid of them.
kill -TERM "$pid" "$orphan"
succeeds "the worker is deaf" alive "$pid"
succeeds "its daemon is deaf" alive "$orphan"

kill -KILL "$master"
# A second, and slack for a busy machine; the unit's own time to stop is two minutes.
succeeds "the worker is gone" await_exit "$pid" 3
succeeds "its daemon is gone" await_exit "$orphan" 1
succeeds "the port is free" port_free 8081
if await_worker 30; then ok "the service comes back"; else not_ok "the service comes back" "no worker within 30 s"; fi
equal "by systemd's restart" 1 "$(property procctl.service NRestarts)"
succeeds "the service stops" systemctl stop procctl.service
succeeds "the cgroup is empty" cgroup_empty procctl.service
finish
