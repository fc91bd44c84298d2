"""An official MCP client, with one stream open until the server ends it.

    client.py MODE URL [CALLS]

MODE is "legacy" (a session, of a 2025 revision), "2026-07-28" (without one) or "auto" (as the client
finds out; the stream is that of what it found). CALLS is a file with a list of
{"tool": …, "arguments": …, "expect": …, "error": …} to call.

Writes a line for each thing that happened: "speaks REVISION", "called N tools", "watching", the
methods of what came on the stream, and in the end "ended" if the server did end the stream, or
"cut off". Exits 0 then, and 1 with "failed" if it did not come that far.
"""

import asyncio
import contextlib
import json
import os
import sys
import traceback

try:
    import httpx2 as httpx
except ImportError:
    import httpx

ACCEPT = {"Accept": "application/json, text/event-stream"}


def say(line):
    print(line, flush=True)


@contextlib.asynccontextmanager
async def connected(url, mode):
    """The client and the revision it speaks, with whichever generation of the package is here."""
    try:
        from mcp import Client
    except ImportError:
        from mcp import ClientSession
        from mcp.client.streamable_http import streamablehttp_client

        async with streamablehttp_client(url) as (read, write, _), ClientSession(read, write) as session:
            yield session, (await session.initialize()).protocolVersion
    else:
        async with Client(url, mode=mode) as client:
            yield client, client.protocol_version


async def call(client, entry):
    result = await client.call_tool(entry["tool"], entry["arguments"])
    text = "\n".join(block.text for block in result.content)
    is_error = getattr(result, "is_error", None)
    if is_error is None:
        is_error = result.isError
    if is_error != entry.get("error", False) or entry["expect"] not in text:
        raise RuntimeError(f"{entry['tool']} answered {text!r}")


async def watch_session(url):
    """The stream of a session of its own, read as it comes: the client hides how it ends."""
    initialize = {
        "jsonrpc": "2.0", "id": 0, "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "watch", "version": "1"},
        },
    }
    async with httpx.AsyncClient(timeout=None) as http:
        response = await http.post(url, json=initialize, headers=ACCEPT)
        headers = {"Accept": "text/event-stream", "Mcp-Session-Id": response.headers["mcp-session-id"]}
        async with http.stream("GET", url, headers=headers) as stream:
            if stream.status_code != 200:
                raise RuntimeError(f"GET answered {stream.status_code}")
            say("watching")
            try:
                async for line in stream.aiter_lines():
                    if line.startswith("data: {"):
                        say(json.loads(line[6:])["method"])
            except httpx.TransportError as error:
                say(f"cut off: {type(error).__name__}")
            else:
                say("ended")


async def watch_subscription(client):
    from mcp.client.subscriptions import SubscriptionLost

    async with client.listen(tools_list_changed=True) as subscription:
        say("watching")
        try:
            async for event in subscription:
                say(f"event {event}")
        except SubscriptionLost:
            say("cut off: SubscriptionLost")
        else:
            say("ended")


async def run(mode, url, calls):
    async with connected(url, mode) as (client, version):
        say(f"speaks {version}")
        await client.list_tools()
        for entry in calls:
            await call(client, entry)
        say(f"called {len(calls)} tools")
        if version.startswith("2025"):
            await watch_session(url)
        else:
            await watch_subscription(client)
        # The client would say goodbye to a server that is gone.
        os._exit(0)


def main():
    mode, url = sys.argv[1:3]
    calls = []
    if len(sys.argv) > 3:
        with open(sys.argv[3], encoding="utf-8") as file:
            calls = json.load(file)
    try:
        asyncio.run(run(mode, url, calls))
    except BaseException:
        traceback.print_exc()
        say("failed")
    return 1


if __name__ == "__main__":
    sys.exit(main())
