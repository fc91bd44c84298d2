#!/bin/bash
# Shows that `boot` runs what it is given and leaves nothing behind, however it ends.
set -euo pipefail
here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
# shellcheck source-path=SCRIPTDIR source=../scenarios/assertions.sh
source "$here/../scenarios/assertions.sh"
boot=$here/../boot

work=$(mktemp -d "${TMPDIR:-/tmp}/procctl-selftest.XXXXXXXX")
tear_down() {
  # By name: nothing here removes a tree.
  rm -f -- "$work"/{script,canary,output,sync}
  rmdir -- "$work"
}
trap tear_down EXIT
echo unharmed > "$work/canary"
mkfifo "$work/sync"

script() { # Writes standard input as the script to run inside.
  cat > "$work/script"
  chmod 755 "$work/script"
}

mounts() { sort /proc/self/mountinfo; }
cgroups() { find "$(findmnt -n -t cgroup2 -o TARGET | head -n 1)" -type d -name 'procctl-boot.*'; }
stages() { compgen -G "${TMPDIR:-/tmp}/procctl-boot.*" || true; }
# By the name it gave itself: only what lives in namespaces of other mounts is looked at.
systemds() { pgrep -f -- '--unit=procctl-test.target' || true; }

before_mounts=$(mounts)
before_cgroups=$(cgroups)
before_stages=$(stages)
before_systemds=$(systemds)
nothing_left() { # NAME
  equal "$1: no mount is left" "$before_mounts" "$(mounts)"
  equal "$1: no cgroup is left" "$before_cgroups" "$(cgroups)"
  equal "$1: no directory is left" "$before_stages" "$(stages)"
  equal "$1: no systemd is left" "$before_systemds" "$(systemds)"
  equal "$1: the canary is unharmed" unharmed "$(cat "$work/canary")"
}

status=0
"$boot" --units "$here" --bind "$here:/run/procctl-test/stand-in" \
  --bind "$here/../scenarios:/run/procctl-test/workers" -- "$here/inside.sh" || status=$?
equal "a service with READY, a watchdog and a cgroup of its own" 0 "$status"
nothing_left "after it"

script << 'SCRIPT'
#!/bin/bash
# What would show outside, if there were a way out: harmless even then.
set -e
test -z "$(ls -A /tmp)"
test ! -e "$2"
rm -f "$2"
touch /usr/bin/procctl-was-here /etc/procctl-was-here
test ! -w /proc/sys/kernel/core_pattern
exit "$1"
SCRIPT
status=0
"$boot" -- "$work/script" 23 "$work/canary" || status=$?
equal "the script's exit status is returned" 23 "$status"
nothing_left "after a script that writes and deletes"
fails "nothing was written outside" test -e /usr/bin/procctl-was-here -o -e /etc/procctl-was-here
succeeds "the surrounding /etc is there" test -s /etc/passwd

script << 'SCRIPT'
#!/bin/bash
exec sleep 1000
SCRIPT
status=0
"$boot" --limit 1 -- "$work/script" 2> "$work/output" || status=$?
equal "a script that does not end is ended" 124 "$status"
nothing_left "after the time was up"

# A script that says, through a pipe, that it runs: then boot is ended by a signal.
script << 'SCRIPT'
#!/bin/bash
setsid sleep 1000 &
echo running > /run/procctl-test/scripts/sync
exec sleep 1000
SCRIPT
exec {sync}<> "$work/sync"
for signal in TERM INT HUP; do
  # Otherwise a background command ignores SIGINT.
  env --default-signal=INT "$boot" -- "$work/script" 2> "$work/output" &
  running=$!
  read -r -t 60 -u "$sync" _ || not_ok "SIG$signal" "the script did not start"
  kill -"$signal" "$running"
  status=0
  wait "$running" || status=$?
  equal "SIG$signal ends it" "$((128 + $(kill -l "$signal")))" "$status"
  nothing_left "after SIG$signal"
done

# Killed outright it cannot tidy up, but no process may stay.
"$boot" -- "$work/script" 2> "$work/output" &
running=$!
read -r -t 60 -u "$sync" _ || not_ok "SIGKILL" "the script did not start"
kill -KILL "$running"
wait "$running" 2> /dev/null || true
cgroup=$(cgroups | grep "/procctl-boot\.$running\$")
# Waits, told by the kernel, until nobody is in it.
succeeds "SIGKILL takes everybody along" /usr/bin/python3 -c 'import select, sys
events = open(sys.argv[1])
poll = select.poll()
poll.register(events, select.POLLPRI)
while True:
    events.seek(0)
    if "populated 0" in events.read():
        break
    if not poll.poll(20000):
        sys.exit("somebody is left")' "$cgroup/cgroup.events"
find "$cgroup" -depth -type d -exec rmdir {} +
stage=$(stages | grep "/procctl-boot\.$running\.")
rm -f -- "$stage"/gate/{up,log}
rmdir -- "$stage/gate" "$stage/root" "$stage"
nothing_left "after SIGKILL"

for wrong in "--units $work/none" "--limit soon" "--bind x" "--what"; do
  # Two words each.
  # shellcheck disable=SC2086
  if "$boot" $wrong -- "$work/script" 2> "$work/output"; then status=0; else status=$?; fi
  equal "'$wrong' is refused" 125 "$status"
done
nothing_left "after all"
trap - EXIT
tear_down
((failed == 0)) || exit 1
printf 'ok: %d assertions\n' "$count"
