"""An application for gunicorn whose answer takes its time."""

import time


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])

    def body():
        yield b"begin "
        time.sleep(1)
        yield b"end"

    return body()
