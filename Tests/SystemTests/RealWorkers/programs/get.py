"""Reads http://127.0.0.1:PORT/PATH on a connection that is kept.

    get.py PORT PATH

Writes "open" once something of the body has come. Then "ended" when the whole body has, and the
connection is kept until the server closes it, or "cut off" if the server closes it before.
"""

import http.client
import sys

connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
connection.request("GET", sys.argv[2])
response = connection.getresponse()
try:
    begin = response.read1(1)
    print("open" if begin else "empty", flush=True)
    while response.read1(65536):
        pass
    # With a length, http.client takes the end of the connection for the end of the body.
    print("cut off" if response.length else "ended", flush=True)
except (http.client.HTTPException, OSError):
    print("cut off", flush=True)
try:
    if connection.sock:
        connection.sock.recv(1)
except OSError:
    pass
