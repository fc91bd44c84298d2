#!/bin/bash
# A master that hangs is ended by the watchdog, and nothing of its workers is left.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=assertions.sh
source "${0%/*}/assertions.sh"
# shellcheck source-path=SCRIPTDIR source=fleet.sh
source "${0%/*}/fleet.sh"

adjust procctl.service WatchdogSec=3 Restart=no
worker alpha 8081 --obey none --orphan | configure procctl
succeeds "the service starts" systemctl start procctl.service
await_worker 5
pid=$started_pid
orphan=$started_orphan
master=$(property procctl.service MainPID)

# Control: left alone for more than the limit, it is alive.
status=0
await_exit "$master" 7 || status=$?
equal "it keeps its watchdog" 124 "$status"
equal "the unit is active after two limits" active "$(property procctl.service ActiveState)"
succeeds "the worker is alive" alive "$pid"
succeeds "its daemon is alive" alive "$orphan"

kill -STOP "$master"
succeeds "hung, it is ended" await_exit "$master" 60
settle procctl.service
equal "the unit failed" failed "$(property procctl.service ActiveState)"
equal "because of the watchdog" watchdog "$(property procctl.service Result)"
fails "the master is gone" alive "$master"
fails "the worker is gone" alive "$pid"
fails "its daemon is gone" alive "$orphan"
succeeds "the cgroup is empty" cgroup_empty procctl.service
succeeds "the port is free" port_free 8081
finish
