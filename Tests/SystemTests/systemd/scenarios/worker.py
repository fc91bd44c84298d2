"""A small HTTP server to be supervised, as obedient as it is told to be."""

import argparse
import http.server
import os
import signal
import socket
import sys
import threading
import time

parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--announce", help="a pipe to write 'PORT PID ORPHAN' to once we listen")
parser.add_argument("--delay", type=float, default=0, help="seconds until we listen")
parser.add_argument("--obey", default="request,TERM,INT", help="what ends us, of these")
parser.add_argument("--orphan", action="store_true", help="leave a deaf daemon of our own")
options = parser.parse_args()
obeyed = options.obey.split(",")


def make_orphan():
    """Forks twice, into a session of its own, deaf to all that can be ignored."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            os.write(writing, str(os.getpid()).encode())
            os.close(writing)
            while True:
                signal.pause()
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    return int(os.read(reading, 32))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(200 if self.path == "/health" else 404, f"{os.getpid()}\n")

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        if self.path != "/shutdown" or "request" not in obeyed:
            self.answer(404, "not here\n")
            return
        self.answer(202, "stopping\n")
        # Not from this thread: shutdown() waits for the loop.
        threading.Thread(target=server.shutdown).start()

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    address_family = socket.AF_INET


def stop(number, frame):
    threading.Thread(target=server.shutdown).start()


for name in ("TERM", "INT"):
    signal.signal(getattr(signal, f"SIG{name}"), stop if name in obeyed else signal.SIG_IGN)
orphan = make_orphan() if options.orphan else 0
time.sleep(options.delay)
server = Server(("127.0.0.1", options.port), Handler)
if options.announce:
    with open(options.announce, "w") as pipe:
        pipe.write(f"{options.port} {os.getpid()} {orphan}\n")
server.serve_forever()
sys.exit(0)
