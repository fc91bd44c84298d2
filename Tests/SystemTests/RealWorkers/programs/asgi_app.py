"""An application for uvicorn: a stream that never ends, and an answer that takes its time."""

import asyncio

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route


async def events(request):
    async def stream():
        yield "data: open\n\n"
        await asyncio.Event().wait()

    return StreamingResponse(stream(), media_type="text/event-stream")


async def slow(request):
    async def stream():
        yield "begin "
        await asyncio.sleep(1)
        yield "end"

    return StreamingResponse(stream(), media_type="text/plain")


async def health(request):
    return PlainTextResponse("ok")


app = Starlette(routes=[Route("/events", events), Route("/slow", slow), Route("/health", health)])
