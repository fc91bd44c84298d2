#!/usr/bin/env python3
"""Measures procctl against the least that has to be done, all in one run.

    run.py PATH-OF-procctl [--runs N]

Prints medians in milliseconds, and their ratios. Touches only processes that it started itself.
"""

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

DEADLINE = 60.0


def milliseconds_of(arguments):
    start = time.perf_counter()
    pid = os.posix_spawn(arguments[0], arguments, os.environ)
    _, status = os.waitpid(pid, 0)
    if status != 0:
        sys.exit(f"{' '.join(arguments)} ended with {status}")
    return (time.perf_counter() - start) * 1000


def table(title, rows):
    print(f"\n{title}")
    base = rows[0][1]
    for name, value in rows:
        print(f"  {name:<28}{value:9.2f} ms  {value / base:6.2f}")


def wrappers(procctl, runs):
    true = "/bin/true"
    commands = {"bare": [true], "procctl spawn": [procctl, "spawn", "--", true]}
    for name, arguments in {
        "tini -s": ["tini", "-s", "--"], "dumb-init": ["dumb-init"], "timeout": ["timeout", "10"],
    }.items():
        path = shutil.which(arguments[0])
        if path:
            commands[name] = [path, *arguments[1:], true]
    # Taken in turns, so that whatever else the machine does meets all of them alike.
    samples = {name: [] for name in commands}
    for _ in range(runs):
        for name, arguments in commands.items():
            samples[name].append(milliseconds_of(arguments))
    table("a wrapper around /bin/true", [(name, statistics.median(values)) for name, values in samples.items()])


class Fifo:
    """Where workers say their pid when they begin."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "started")
        os.mkfifo(self.path)
        # Read and write, so that it never ends.
        self.file = os.fdopen(os.open(self.path, os.O_RDWR), "r")

    def line(self):
        signal.setitimer(signal.ITIMER_REAL, DEADLINE)
        text = self.file.readline()
        signal.setitimer(signal.ITIMER_REAL, 0)
        name, pid = text.split()
        return name, int(pid)


def master(procctl, directory, count, command):
    path = os.path.join(directory, "procctl.toml")
    with open(path, "w", encoding="utf-8") as file:
        for number in range(count):
            file.write(f"[workers.w{number}]\ncommand = {command}\nready = \"none\"\n")
    log = open(os.path.join(directory, "log"), "wb")
    return subprocess.Popen([procctl, "run", path], stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def restarts(procctl, count):
    with tempfile.TemporaryDirectory() as directory:
        fifo = Fifo(directory)
        shell = ["/bin/sh", "-c", f"echo {{name}} $$ > {fifo.path}; exec sleep 1000"]

        bare = []
        for _ in range(count):
            start = time.perf_counter()
            child = subprocess.Popen([word.replace("{name}", "bare") for word in shell])
            fifo.line()
            bare.append((time.perf_counter() - start) * 1000)
            child.kill()
            child.wait()

        # Each worker is killed once: its first restart has no pause.
        process = master(procctl, directory, count, str(shell).replace("'", '"'))
        try:
            pids = dict(fifo.line() for _ in range(count))
            samples = []
            for name, pid in pids.items():
                start = time.perf_counter()
                os.kill(pid, signal.SIGKILL)
                while fifo.line()[0] != name:
                    pass
                samples.append((time.perf_counter() - start) * 1000)
        finally:
            process.terminate()
            process.wait()
        table(
            f"restart after kill -9, {count} workers",
            [("started bare", statistics.median(bare)), ("restarted by procctl", statistics.median(samples))])


def stops(procctl, count):
    with tempfile.TemporaryDirectory() as directory:
        fifo = Fifo(directory)
        shell = ["/bin/sh", "-c", f"echo w $$ > {fifo.path}; exec sleep 1000"]

        children = [subprocess.Popen(shell) for _ in range(count)]
        for _ in children:
            fifo.line()
        start = time.perf_counter()
        for child in children:
            child.terminate()
        for child in children:
            child.wait()
        bare = (time.perf_counter() - start) * 1000

        process = master(procctl, directory, count, str(shell).replace("'", '"'))
        for _ in range(count):
            fifo.line()
        start = time.perf_counter()
        process.terminate()
        status = process.wait()
        ours = (time.perf_counter() - start) * 1000
        if status != 0:
            sys.exit(f"procctl run ended with {status}")
        table(f"stop of {count} workers", [("kill and wait", bare), ("procctl run, verified", ours)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("procctl")
    parser.add_argument("--runs", type=int, default=200)
    options = parser.parse_args()
    procctl = os.path.abspath(options.procctl)

    def late(*_):
        sys.exit(f"nothing happened for {DEADLINE:.0f} s")

    signal.signal(signal.SIGALRM, late)
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; medians, and ratios to the first line")
    wrappers(procctl, options.runs)
    restarts(procctl, 30)
    stops(procctl, 100)


if __name__ == "__main__":
    main()
