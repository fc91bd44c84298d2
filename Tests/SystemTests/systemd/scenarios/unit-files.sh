#!/bin/bash
# The unit files say nothing systemd does not understand. In here, ExecStart exists.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=assertions.sh
source "${0%/*}/assertions.sh"

mkdir -p /etc/procctl
for unit in procctl.service procctl@north.service; do
  # It exits with 0 although it complains about unknown settings.
  equal "$unit is understood" '' "$(systemd-analyze verify --man=no "$unit" 2>&1)"
done
# Control: it does complain.
sed 's/^KillMode=.*/KillMode=gently\nKilMode=mixed/' /run/systemd/system/procctl.service > /run/systemd/system/wrong.service
matches "a wrong value is noticed" '*kill mode*' "$(systemd-analyze verify --man=no wrong.service 2>&1 || true)"
matches "a wrong name is noticed" '*KilMode*' "$(systemd-analyze verify --man=no wrong.service 2>&1 || true)"
finish
