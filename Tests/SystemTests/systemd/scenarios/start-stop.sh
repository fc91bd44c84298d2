#!/bin/bash
# Started means ready; stopped means empty.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=assertions.sh
source "${0%/*}/assertions.sh"
# shellcheck source-path=SCRIPTDIR source=fleet.sh
source "${0%/*}/fleet.sh"

{
  worker alpha 8081 --delay 1
  worker beta 8082 --orphan
} | configure procctl

begun=$(date +%s%N)
succeeds "the service starts" systemctl start procctl.service
took=$((($(date +%s%N) - begun) / 1000000))
if ((took >= 1000)); then ok "start waits for the slow worker"; else not_ok "start waits for the slow worker" "$took ms"; fi
succeeds "the slow worker answers as soon as start returns" answers 8081
succeeds "the other worker answers" answers 8082
# In either order; only one of them has made a daemon.
await_worker 5
orphan=$started_orphan
await_worker 5
orphan=$((orphan + started_orphan))
succeeds "the worker's daemon is alive" alive "$orphan"
equal "the unit is active" active "$(property procctl.service ActiveState)"
matches "a status is shown" '?*' "$(property procctl.service StatusText)"
matches "systemctl status shows it too" '*Status: "*' "$(systemctl status --no-pager procctl.service)"
first=$(property procctl.service MainPID)
# Control: what must be gone later is there now.
fails "the cgroup is not empty while it runs" cgroup_empty procctl.service
fails "the port is taken while it runs" port_free 8081

succeeds "the service stops" systemctl stop procctl.service
equal "the unit is inactive" inactive "$(property procctl.service ActiveState)"
equal "its result is success" success "$(property procctl.service Result)"
succeeds "the cgroup is empty" cgroup_empty procctl.service
fails "the master is gone" alive "$first"
fails "the worker's daemon is gone" alive "$orphan"
succeeds "port 8081 is free" port_free 8081
succeeds "port 8082 is free" port_free 8082

worker alpha 8081 | configure procctl
succeeds "it starts again" systemctl start procctl.service
succeeds "an obedient fleet stops" systemctl stop procctl.service
equal "with exit status 0" 0 "$(property procctl.service ExecMainStatus)"
equal "by exiting" 1 "$(property procctl.service ExecMainCode)"
finish
