#!/bin/bash
# How a stop went arrives at systemd.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=assertions.sh
source "${0%/*}/assertions.sh"
# shellcheck source-path=SCRIPTDIR source=fleet.sh
source "${0%/*}/fleet.sh"

adjust procctl.service RestartSec=0

# A step is short only where it is waited for in vain: the one that is obeyed has time, whatever the machine does.
check() { # NAME OBEYED STATUS TERM INT: how long these signals have
  {
    worker alpha 8081 --obey "$2"
    echo "stop = [ { request = \"POST /shutdown\", wait = \"10s\" }, { signal = \"TERM\", wait = \"$4\" },"
    echo "  { signal = \"INT\", wait = \"$5\" }, { signal = \"KILL\" } ]"
  } | configure procctl
  succeeds "$1: starts" systemctl start procctl.service
  succeeds "$1: stops" systemctl stop procctl.service
  equal "$1: exit status $3" "$3" "$(property procctl.service ExecMainStatus)"
  equal "$1: counts as success" success "$(property procctl.service Result)"
  equal "$1: the unit is inactive" inactive "$(property procctl.service ActiveState)"
  succeeds "$1: nothing is left" cgroup_empty procctl.service
  succeeds "$1: the port is free" port_free 8081
}
check "an obedient worker" request,TERM,INT 0 1s 1s
check "a worker that obeys only SIGTERM" TERM 2 10s 1s
check "a worker that obeys only SIGINT" INT 2 1s 10s
check "a deaf worker" none 3 1s 1s

printf 'nonsense = \n[[[' | configure procctl
fails "a configuration that cannot be read is refused" systemctl start procctl.service
equal "with exit status 78" 78 "$(property procctl.service ExecMainStatus)"
equal "and not tried again" 0 "$(property procctl.service NRestarts)"
equal "the unit failed" failed "$(property procctl.service ActiveState)"
journalctl --sync
matches "the journal names the place" '*procctl.toml*' "$(journalctl --no-pager -o cat -u procctl.service)"
finish
