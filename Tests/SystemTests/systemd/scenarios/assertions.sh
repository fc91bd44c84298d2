# shellcheck shell=bash
# What every scenario begins with: assertions that print `ok NAME` or
# `not ok NAME: why`, and what is needed to say what a service is doing.

count=0
failed=0

ok() {
  count=$((count + 1))
  printf 'ok %s\n' "$1"
}

not_ok() {
  count=$((count + 1))
  failed=$((failed + 1))
  printf 'not ok %s: %s\n' "$1" "$2"
}

equal() { # NAME EXPECTED ACTUAL
  if [[ $3 == "$2" ]]; then ok "$1"; else not_ok "$1" "expected '$2', got '$3'"; fi
}

matches() { # NAME PATTERN ACTUAL
  # The pattern is one.
  # shellcheck disable=SC2053
  if [[ $3 == $2 ]]; then ok "$1"; else not_ok "$1" "expected '$2', got '$3'"; fi
}

succeeds() { # NAME COMMAND…
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then ok "$name"; else not_ok "$name" "'$*' ended with $?: $output"; fi
}

fails() { # NAME COMMAND…
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then not_ok "$name" "'$*' succeeded: $output"; else ok "$name"; fi
}

# Ends the scenario; what the journal has is shown if something failed.
finish() {
  if ((count == 0)); then not_ok "$0" "nothing was asserted"; fi
  if ((failed > 0)); then
    journalctl --no-pager --output=short-precise | tail -n 150 | sed 's/^/# /'
    exit 1
  fi
  exit 0
}

property() { # UNIT PROPERTY
  systemctl show --property="$2" --value "$1"
}

# The cgroup of a unit: gone, or there and empty.
cgroup_empty() { # UNIT
  local directory
  directory=/sys/fs/cgroup/system.slice/$1
  [[ $1 != *@*.service ]] || directory=/sys/fs/cgroup/system.slice/system-${1%%@*}.slice/$1
  [[ ! -e $directory ]] || grep -q '^populated 0$' "$directory/cgroup.events"
}

# Whether a process exists that is more than a zombie.
alive() { # PID
  local state
  state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2> /dev/null) && [[ -n $state && $state != Z ]]
}

answers() { # PORT
  curl --silent --fail --max-time 5 --output /dev/null "http://127.0.0.1:$1/health"
}

# Whether a listener with no special rights could be bound to it now.
port_free() { # PORT
  /usr/bin/python3 -c 'import socket, sys
for family, host in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((host, int(sys.argv[1])))
    listener.listen()
    listener.close()' "$1"
}

# Waits for a process to exit, whoever's child it is; 124 if it does not in time.
await_exit() { # PID SECONDS
  /usr/bin/python3 -c 'import os, select, sys
try:
    process = os.pidfd_open(int(sys.argv[1]))
except ProcessLookupError:
    sys.exit(0)
poll = select.poll()
poll.register(process, select.POLLIN)
sys.exit(0 if poll.poll(float(sys.argv[2]) * 1000) else 124)' "$1" "$2"
}

# Waits until a unit whose main process has exited has ended altogether: a stop
# joins what is under way, and does not change its result.
settle() { # UNIT
  systemctl stop "$1"
}

# Keeps systemd from forgetting units that are inactive, and with them how they ended.
remember() { # UNIT…
  mkdir -p /run/systemd/system/procctl-test.target.d
  printf '[Unit]\nAfter=%s\n' "$*" > /run/systemd/system/procctl-test.target.d/remember.conf
  systemctl daemon-reload
}
