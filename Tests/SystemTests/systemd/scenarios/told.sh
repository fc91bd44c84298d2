#!/bin/bash
# What a stop tells, while it lasts and afterwards: STATUS=, the journal, and the record of it.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=assertions.sh
source "${0%/*}/assertions.sh"
# shellcheck source-path=SCRIPTDIR source=fleet.sh
source "${0%/*}/fleet.sh"

{
  printf '[master]\nlog-format = "journal"\n'
  worker alpha 8081 --obey none
  echo 'stop = [ { signal = "TERM", wait = "5s" }, { signal = "KILL" } ]'
} | configure procctl
succeeds "the service starts" systemctl start procctl.service
await_worker 5
worker=$started_pid
equal "all are ready" "ready 1/1" "$(property procctl.service StatusText)"

# All lines, for one that is written before it follows would be missed.
exec {journal}< <(exec journalctl --no-pager --follow --lines=all -o cat -u procctl.service)
follower=$!
# `succeeds` calls it.
# shellcheck disable=SC2317
await_line() { # PATTERN
  local line
  while read -r -t 15 -u "$journal" line; do
    # The pattern is one.
    # shellcheck disable=SC2053
    [[ $line == $1 ]] && return 0
  done
  return 1
}
systemctl stop --no-block procctl.service
succeeds "the journal says that it is asked, at once" await_line "*alpha: SIGTERM to 1 process*"
# The status is told before anybody is signalled, and systemd hears it before it answers what follows.
equal "it is being stopped" deactivating "$(property procctl.service ActiveState)"
matches "the status says how many have ended, and who has not" \
  "stopping 0/1, waiting for alpha (pid $worker*)" "$(property procctl.service StatusText)"
matches "and so does systemctl" "*Status: \"stopping 0/1, waiting for alpha*" \
  "$(systemctl status --no-pager procctl.service || true)"
settle procctl.service
kill "$follower"

equal "it has ended with 3" 3 "$(property procctl.service ExecMainStatus)"
equal "the last status is the outcome" "stopped: alpha needed KILL" "$(property procctl.service StatusText)"
journalctl --sync
journal_of() { journalctl --no-pager -o cat -u procctl.service "$@"; }
matches "who asked is in the journal" "*stopping: SIGTERM from pid 1*" "$(journal_of)"
matches "what was done is" "*alpha: SIGKILL to 1 process*" "$(journal_of)"
matches "what force was needed is a warning" "*stopped: alpha needed KILL*" "$(journal_of --priority=warning)"
fails "and what was to be expected is none" grep "asked to stop" <(journal_of --priority=warning)

report() { env -u STATE_DIRECTORY -u XDG_RUNTIME_DIR procctl report /etc/procctl/procctl.toml; }
fails "the runtime directory has no record" grep -rl '"exit_status"' /run/procctl
succeeds "the state directory has" grep -rl '"exit_status"' /var/lib/procctl
matches "and anybody as root can read what happened" '*alpha*KILL*' "$(report)"
succeeds "it starts again" systemctl start procctl.service
matches "which is why the record must last" '*alpha*KILL*' "$(report)"
succeeds "it stops again" systemctl stop procctl.service
finish
