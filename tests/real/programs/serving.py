"""A program's web server: on a free port of this machine, which it says in its first line."""
# pyright: basic, reportAttributeAccessIssue=false
# waitress comes without types.

import socket
from typing import Any

import uvicorn
import waitress

HOST = "127.0.0.1"


def serve_wsgi(app: Any) -> None:
    """Until the process is ended."""
    server = waitress.create_server(app, host=HOST, port=0, threads=4)
    print(f"http://{HOST}:{server.effective_port}", flush=True)
    server.run()


def serve_asgi(app: Any) -> None:
    """Until the process is ended."""
    with socket.create_server((HOST, 0)) as listening:
        print(f"http://{HOST}:{listening.getsockname()[1]}", flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run([listening])
