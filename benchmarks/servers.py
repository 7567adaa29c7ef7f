"""The servers of a benchmark, on the servers' core: nginx with files, a slow site, Redis."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import Redis

from benchmarks.machine import SERVERS, pinned
from benchmarks.pages import COLLECTIONS
from pagefleet.embedded.server import find_server

LAST = {"k1": 1000, "k1big": 100, "b100": 1000, "k1gz": 500, "xml": 200}
"""Pages of each collection that are there as files."""
ROOT = Path(__file__).parents[1]
Child = subprocess.Popen[bytes]

NGINX = """
daemon off;
worker_processes 1;
pid {place}/nginx.pid;
error_log {place}/nginx.log;
{user}
events {{ worker_connections 1024; }}
http {{
  types {{ application/json json; application/xml xml; }}
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_timeout 60;
  keepalive_requests 1000000;
  open_file_cache max=10000;
  server {{
    listen 127.0.0.1:{port};
    root {place}/pages;
    location /k1gz/ {{ gzip_static always; }}
  }}
}}
"""


@contextmanager
def site(place: Path, delay: float = 0.0, made: Sequence[str] = ()) -> Generator[str]:
    """The URL of a server of all collections, of any length."""
    port = free_port()
    words = ["-m", "benchmarks.site", f"--port={port}", f"--delay={delay}", "--made", *made]
    with running([sys.executable, *words], place / "site.log"):
        answers(port)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def static(place: Path) -> Generator[str]:
    """The URL of the collections in `LAST`: nginx and files, or a site where there is no nginx."""
    program = nginx()
    if program is None:
        with site(place) as url:
            yield url
        return
    write_pages(place / "pages")
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""  # else its workers could not read our files
    (place / "nginx.conf").write_text(NGINX.format(place=place, port=port, user=user))
    with running([program, "-e", f"{place}/nginx.log", "-c", f"{place}/nginx.conf"], place / "nginx.out"):
        answers(port)
        yield f"http://127.0.0.1:{port}"


def nginx() -> str | None:
    """The program, if it is at hand."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def write_pages(place: Path) -> None:
    """All files that nginx serves; a quarter of a gigabyte."""
    for name, last in LAST.items():
        collection = COLLECTIONS[name]
        (place / name / str(last)).mkdir(parents=True)
        for page in range(1, last + 1):
            path = f"{place}{collection.path(page, last)}{'.gz' if collection.is_gzipped else ''}"
            Path(path).write_bytes(collection.body(page, last))


@contextmanager
def redis(place: Path, **more: str | int) -> Generator[str]:
    """The URL of a Redis that keeps its file as an embedded one does; `more` options, with `_` for `-`."""
    program = find_server()
    if program is None:
        raise RuntimeError("there is no redis-server and no valkey-server on PATH; install one")
    port = free_port()
    options = {
        "bind": "127.0.0.1",
        "port": port,
        "dir": place,
        "save": "",
        "maxmemory-policy": "noeviction",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "auto-aof-rewrite-percentage": 0,
        "stream-node-max-bytes": 65536,
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    with running([str(program), *words], place / "redis.log"):
        url = f"redis://127.0.0.1:{port}/0"
        answers(port)
        yield url


@contextmanager
def configured(place: Path, program: str, configuration: Path) -> Generator[str]:
    """The URL of a Redis with this configuration."""
    port = free_port()
    home = place / "configured"
    home.mkdir()
    command = [program, str(ROOT / configuration), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(home)]
    with running(command, place / "configured.log"):
        answers(port)
        yield f"redis://127.0.0.1:{port}/0"


def empty(url: str) -> None:
    """A Redis without data, also in its file, for the next run."""
    with Redis.from_url(url) as client:
        client.flushall()
        client.bgrewriteaof()
        until = time.monotonic() + 30
        about: Any = client  # redis-py types most of its methods for two clients
        while about.info("persistence")["aof_rewrite_in_progress"]:
            if time.monotonic() > until:
                raise RuntimeError("Redis has been rewriting its empty file for 30 s")
            time.sleep(0.01)


@contextmanager
def running(command: list[str], log: Path, core: int = SERVERS, **environment: str) -> Generator[Child]:
    """A process for the length of the block."""
    with log.open("ab") as said, pinned(core):
        child = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def free_port() -> int:
    """One that nobody listens at now."""
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return int(opened.getsockname()[1])


def answers(port: int) -> None:
    """Wait until somebody listens there."""
    until = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return


def connections(url: str) -> int:
    """How many connections a site has accepted so far."""
    with urllib.request.urlopen(f"{url}/connections") as answer:  # noqa: S310  # of ours
        return int(answer.read())
