"""The official MCP git server, over streamable HTTP.

    git_server.py REPOSITORY PORT
"""

import pathlib
import sys

from mcp_server_git.server import create_server

server = create_server(pathlib.Path(sys.argv[1]))
server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
