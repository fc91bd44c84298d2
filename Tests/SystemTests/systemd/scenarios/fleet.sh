# shellcheck shell=bash
# What scenarios with procctl itself share: the configuration, and a pipe into
# which workers say that they listen. Sourced after assertions.sh.

readonly workers=/run/procctl-test/scripts
readonly events=/run/worker-events
mkfifo "$events"
remember procctl.service procctl@north.service procctl@south.service
# Open for both, so that nobody waits for the other to open it.
exec {events_pipe}<> "$events"

# Prints a worker's section: NAME PORT, then options of worker.py.
worker() {
  local name=$1 port=$2
  shift 2
  local options='' option
  for option in "$@"; do options+=", \"$option\""; done
  cat << TOML
[workers.$name]
command = ["/usr/bin/python3", "$workers/worker.py", "--announce", "$events", "--port", "{port}"$options]
port = $port
ready = "http:/health"
TOML
}

# Writes standard input as a configuration.
configure() { # NAME
  mkdir -p /etc/procctl
  cat > "/etc/procctl/$1.toml"
}

# Adds settings to a unit for this machine only: UNIT LINE…
adjust() {
  local unit=$1
  shift
  mkdir -p "/run/systemd/system/$unit.d"
  printf '%s\n' '[Service]' "$@" > "/run/systemd/system/$unit.d/test.conf"
  systemctl daemon-reload
}

# The next worker that has begun to listen, in: started_port, started_pid and
# started_orphan (0 if it made none).
# shellcheck disable=SC2034
await_worker() { # SECONDS
  started_port='' started_pid='' started_orphan=''
  read -r -t "$1" -u "$events_pipe" started_port started_pid started_orphan
}
