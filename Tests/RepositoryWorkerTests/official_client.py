#!/usr/bin/env python3
"""Drives repository-worker with the official MCP client and checks that it ends cleanly.

    python3 -m venv VENV && VENV/bin/pip install mcp
    VENV/bin/python official_client.py PATH-OF-repository-worker

Starts the program on a free port and, for each way the client can negotiate, opens a session, lists
and calls every tool and keeps an event stream open. Then it sends POST /shutdown and expects: the
answer 202 with the counts, `notifications/shutdown` and the proper end of the stream, exit status 0,
and the port free again. Exits 0 when all of that holds, else 1 with a line that says what did not.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import warnings

import httpx2 as httpx
from mcp import Client

# ping is gone in a later revision than the two this server speaks.
warnings.filterwarnings("ignore", message="ping is removed")

DEADLINE = 20.0
EXPECTED = {
    "list_files": ({}, "greeting.txt"),
    "read_file": ({"path": "greeting.txt", "start_line": 2, "end_line": 2}, "second needle"),
    "search": ({"pattern": "needle"}, "greeting.txt:2:second needle"),
    "log": ({"limit": 1}, "Say hello"),
    "show_commit": ({"revision": "HEAD"}, "+second needle"),
    "blame": ({"path": "greeting.txt"}, "first"),
}


class Failed(Exception):
    pass


def check(condition, message):
    if not condition:
        raise Failed(message)


def git(directory, *arguments):
    environment = {
        "PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org",
    }
    subprocess.run(["git", "-C", directory, *arguments], check=True, env=environment)


def make_repository(directory):
    git(directory, "init", "-q")
    with open(os.path.join(directory, "greeting.txt"), "w", encoding="utf-8") as file:
        file.write("first\nsecond needle\n")
    git(directory, "add", "-A")
    git(directory, "commit", "-q", "-m", "Say hello")


async def start(program, repository):
    """Starts the program; returns it and its port. Its log is read until it ends."""
    worker = await asyncio.create_subprocess_exec(
        program, "--repository", repository, "--port", "0",
        stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True)
    log = []
    while True:
        line = (await worker.stderr.readline()).decode()
        check(line, "the worker did not start: " + "".join(log).strip())
        log.append(line)
        if match := re.search(r"listening on .*:(\d+)$", line.strip()):
            return worker, int(match.group(1)), log


async def use_tools(url, mode):
    """One session, every tool, with whatever handshake the mode means. Returns the open client."""
    async with Client(url, mode=mode) as client:
        version = client.protocol_version
        check(version in ("2025-06-18", "2025-11-25"), f"{mode}: negotiated {version}")
        await client.send_ping()
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        check(set(tools) == set(EXPECTED), f"{mode}: tools are {sorted(tools)}")
        for name, (arguments, expected) in EXPECTED.items():
            result = await client.call_tool(name, arguments)
            text = "\n".join(block.text for block in result.content)
            check(not result.is_error, f"{mode}: {name} failed: {text}")
            check(expected in text, f"{mode}: {name} lacks {expected!r}: {text!r}")
        outside = await client.call_tool("read_file", {"path": "../../etc/passwd"})
        check(outside.is_error, f"{mode}: read_file left the repository")
    print(f"ok: mode {mode!r} speaks {version}, {len(tools)} tools called")


async def watch_stream(base, opened):
    """A session of its own whose event stream is read as raw bytes, to see how it ends."""
    accept = {"Accept": "application/json, text/event-stream"}
    initialize = {
        "jsonrpc": "2.0", "id": 0, "method": "initialize",
        "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "watch", "version": "1"}},
    }
    async with httpx.AsyncClient(timeout=DEADLINE) as http:
        response = await http.post(f"{base}/mcp", json=initialize, headers=accept)
        headers = {"Accept": "text/event-stream", "Mcp-Session-Id": response.headers["mcp-session-id"]}
        events = []
        # A stream that is cut off instead of ended makes the client raise here.
        async with http.stream("GET", f"{base}/mcp", headers=headers) as stream:
            check(stream.status_code == 200, f"GET /mcp answered {stream.status_code}")
            opened.set()
            async for line in stream.aiter_lines():
                if line.startswith("data: "):
                    events.append(json.loads(line[6:]))
        return events


async def run(program, repository):
    worker, port, log = await start(program, repository)
    base = f"http://127.0.0.1:{port}"
    try:
        for mode in ("auto", "legacy"):
            await use_tools(f"{base}/mcp", mode)

        opened = asyncio.Event()
        watching = asyncio.create_task(watch_stream(base, opened))
        # The official client opens its own event stream once it is initialized.
        async with contextlib.AsyncExitStack() as stack:
            client = await stack.enter_async_context(Client(f"{base}/mcp", mode="legacy"))
            await client.send_ping()
            await opened.wait()
            async with httpx.AsyncClient(timeout=DEADLINE) as http:
                # An event, not a guess: the worker itself counts the streams.
                while (health := (await http.get(f"{base}/health")).json())["clients"] < 2:
                    await asyncio.sleep(0)
                check(health["status"] == "ok", f"health is {health}")
                began = time.monotonic()
                response = await http.post(f"{base}/shutdown")
            check(response.status_code == 202, f"POST /shutdown answered {response.status_code}")
            check(
                response.json() == {"status": "stopping", "clients": 2, "requests": 0},
                f"POST /shutdown answered {response.text}")
            log.append((await worker.stderr.read()).decode())
            status = await worker.wait()
            elapsed = time.monotonic() - began
            events = await watching
        check(status == 0, f"the worker ended with status {status}: {''.join(log).strip()}")
        check(elapsed < 0.9, f"the worker took {elapsed:.3f} s to end")
        check(
            [event["method"] for event in events] == ["notifications/shutdown"], f"the stream brought {events}")
        check("shutdown clean" in log[-1], f"the report is not clean: {log[-1].strip()}")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
        print(f"ok: two streams told and ended, status 0 after {elapsed * 1000:.0f} ms, port free")
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="the repository-worker to test")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        make_repository(directory)
        try:
            asyncio.run(asyncio.wait_for(run(arguments.program, directory), DEADLINE))
        except TimeoutError:
            print(f"FAILED: not done after {DEADLINE:.0f} s", file=sys.stderr)
            return 1
        except BaseExceptionGroup as group:
            print(f"FAILED: {[str(error) for error in group.exceptions]}", file=sys.stderr)
            return 1
        except Exception as error:
            print(f"FAILED: {type(error).__name__}: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
