#!/bin/bash
# `procctl check --unit NAME` says of a unit what systemd says of it.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=assertions.sh
source "${0%/*}/assertions.sh"
# shellcheck source-path=SCRIPTDIR source=fleet.sh
source "${0%/*}/fleet.sh"

worker alpha 8081 | configure procctl

# check UNIT: its exit status in `status`, and all it says in `said`.
check() {
  status=0
  said=$(procctl check --unit "$1" /etc/procctl/procctl.toml 2>&1) || status=$?
}

for unit in procctl.service procctl@north.service; do
  check "$unit"
  equal "a stop fits into $unit" 0 "$status"
  matches "$unit: and how well" '*TimeoutStopSec *2m*fits, with * to spare*' "$said"
  fails "$unit: no warning of what we ship" grep 'warning:' <<< "$said"
done
check procctl
equal "a name without its ending is a service" 0 "$status"
matches "and systemd is asked for it" '*TimeoutStopSec *2m*' "$said"

adjust procctl.service TimeoutStopSec=5 KillMode=control-group Delegate=no
check procctl.service
equal "a drop-in counts: it does not fit" 1 "$status"
matches "and by how much" '*TimeoutStopSec *5s*too short by *' "$said"
matches "the way systemd kills is wrong" '*warning: KillMode=control-group*' "$said"
matches "and control groups are missed" '*warning: Delegate=no*' "$said"

adjust procctl.service TimeoutStopSec=infinity
check procctl.service
equal "no limit: it fits" 0 "$status"
matches "and says why" '*TimeoutStopSec is infinite*' "$said"

check no-such.service
equal "a unit that systemd has not" 69 "$status"
matches "is named" '*no-such.service: not-found*' "$said"
fails "and nothing is compared" grep TimeoutStopSec <<< "$said"
finish
