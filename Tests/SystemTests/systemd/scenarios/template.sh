#!/bin/bash
# Instances: one master per configuration, each with its own directory.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=assertions.sh
source "${0%/*}/assertions.sh"
# shellcheck source-path=SCRIPTDIR source=fleet.sh
source "${0%/*}/fleet.sh"

worker alpha 8081 | configure procctl
worker beta 8082 | configure north
worker gamma 8083 | configure south
succeeds "the plain unit starts" systemctl start procctl.service
succeeds "one instance starts" systemctl start procctl@north.service
succeeds "another instance starts" systemctl start procctl@south.service
for port in 8081 8082 8083; do succeeds "port $port answers" answers "$port"; done
fails "an instance's cgroup is not empty while it runs" cgroup_empty procctl@north.service
succeeds "an instance has its directory" test -d /run/procctl/north
succeeds "so has the other" test -d /run/procctl/south

succeeds "the plain unit stops" systemctl stop procctl.service
succeeds "the instances keep their directories" test -d /run/procctl/north
succeeds "and their workers" answers 8082
succeeds "one instance stops" systemctl stop procctl@north.service
fails "its directory is gone" test -e /run/procctl/north
succeeds "the other's is not" test -d /run/procctl/south
succeeds "nor is its worker" answers 8083
succeeds "the other instance stops" systemctl stop procctl@south.service
for instance in north south; do
  equal "$instance ended with 0" 0 "$(property "procctl@$instance.service" ExecMainStatus)"
  succeeds "$instance left nothing" cgroup_empty "procctl@$instance.service"
  succeeds "but the record of its stop" test -n "$(find "/var/lib/procctl/$instance" -type f)"
  succeeds "which can be read" procctl report "/etc/procctl/$instance.toml"
done
finish
