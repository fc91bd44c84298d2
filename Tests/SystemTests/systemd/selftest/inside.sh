#!/bin/bash
# What the scenarios rely on, shown with a stand-in for the master.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../scenarios/assertions.sh
source /run/procctl-test/workers/assertions.sh

remember stand-in.service
begun=$(date +%s%N)
succeeds "the service starts" systemctl start stand-in.service
took=$((($(date +%s%N) - begun) / 1000000))
if ((took >= 1000)); then ok "start waits for READY"; else not_ok "start waits for READY" "$took ms"; fi
equal "the status is shown" "1 worker" "$(property stand-in.service StatusText)"
succeeds "the worker answers" answers 8081
fails "its port is taken" port_free 8081
fails "the cgroup is not empty" cgroup_empty stand-in.service
procs=$(cat /sys/fs/cgroup/system.slice/stand-in.service/worker/cgroup.procs)
worker=$(head -n 1 <<< "$procs")
orphan=$(tail -n 1 <<< "$procs")
fails "the worker has a daemon" test "$worker" = "$orphan"
journalctl --sync
matches "the journal has its output" '*the stand-in is ready*' "$(journalctl --no-pager -o cat -u stand-in.service)"

status=0
await_exit "$(property stand-in.service MainPID)" 5 || status=$?
equal "the watchdog is kept" 124 "$status"
equal "the service is active" active "$(property stand-in.service ActiveState)"
succeeds "the service stops" systemctl stop stand-in.service
equal "the exit status arrives" 3 "$(property stand-in.service ExecMainStatus)"
equal "and counts as success" success "$(property stand-in.service Result)"
fails "the worker is gone" alive "$worker"
fails "its daemon is gone" alive "$orphan"
succeeds "the cgroup is empty" cgroup_empty stand-in.service
succeeds "the port is free" port_free 8081

succeeds "the service starts again" systemctl start stand-in.service
worker=$(head -n 1 /sys/fs/cgroup/system.slice/stand-in.service/worker/cgroup.procs)
kill -STOP "$(property stand-in.service MainPID)"
succeeds "hung, it is ended" await_exit "$(property stand-in.service MainPID)" 30
settle stand-in.service
equal "hung, it fails" failed "$(property stand-in.service ActiveState)"
equal "by the watchdog" watchdog "$(property stand-in.service Result)"
fails "and its worker is gone" alive "$worker"
succeeds "with the whole cgroup" cgroup_empty stand-in.service

# Controls of the assertions themselves.
noticed=$(
  fails x true > /dev/null
  equal x 1 2 > /dev/null
  matches x 'a*' b > /dev/null
  succeeds x false > /dev/null
  printf '%s' "$failed"
)
equal "the assertions notice failures" "$((failed + 4))" "$noticed"
finish
