#!/bin/bash
# A worker that is killed comes back; the service stays what it was.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=assertions.sh
source "${0%/*}/assertions.sh"
# shellcheck source-path=SCRIPTDIR source=fleet.sh
source "${0%/*}/fleet.sh"

worker alpha 8081 | configure procctl
succeeds "the service starts" systemctl start procctl.service
await_worker 5
before=$started_pid
master=$(property procctl.service MainPID)
kill -KILL "$before"
if await_worker 20; then ok "another worker listens"; else not_ok "another worker listens" "none within 20 s"; fi
fails "it is another process" test "$started_pid" = "$before"
succeeds "the new one is alive" alive "$started_pid"
fails "the old one is not" alive "$before"
succeeds "the port answers" answers 8081
equal "the master is the same" "$master" "$(property procctl.service MainPID)"
equal "systemd restarted nothing" 0 "$(property procctl.service NRestarts)"
succeeds "the service stops" systemctl stop procctl.service
equal "cleanly" 0 "$(property procctl.service ExecMainStatus)"
finish
