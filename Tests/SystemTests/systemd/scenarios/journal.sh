#!/bin/bash
# With log-format = "journal", entries arrive with their fields.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=assertions.sh
source "${0%/*}/assertions.sh"
# shellcheck source-path=SCRIPTDIR source=fleet.sh
source "${0%/*}/fleet.sh"

{
  printf '[master]\nlog-format = "journal"\n'
  worker alpha 8081
} | configure procctl
succeeds "the service starts" systemctl start procctl.service
succeeds "the service stops" systemctl stop procctl.service
journalctl --sync
entries=$(journalctl --no-pager -o json -u procctl.service _TRANSPORT=journal)
matches "there are entries of the unit" '*"SYSLOG_IDENTIFIER":"procctl"*' "$entries"
matches "with a priority" '*"PRIORITY":"6"*' "$entries"
matches "with a place in the code" '*"CODE_FILE":"*' "$entries"
finish
