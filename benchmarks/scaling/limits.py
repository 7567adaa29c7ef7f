"""Where a Redis ends: as many processes commit as it takes until its core is full."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks import servers
from benchmarks.machine import CLIENT, SERVERS, pinned
from benchmarks.report import table
from benchmarks.scaling.committer import Committed
from benchmarks.scaling.spent import core_seconds, main_thread
from benchmarks.scaling.stage import Shape, looking

FULL = 0.95
MOST = 4
"""Processes; they share one core, so that more of them only take turns."""
SHAPES = (Shape(1, 1024), Shape(10, 1024), Shape(100, 1024), Shape(500, 1024), Shape(100, 100), Shape(100, 10 * 1024))
FSYNC = ("everysec", "always")


@dataclass(frozen=True)
class Clients:
    """Processes that commit to a Redis, or to the nodes of a cluster."""

    urls: Sequence[str]
    shape: Shape
    count: int = 1
    core: int = CLIENT
    slices: int = 16

    def start(self, seconds: float, name: str) -> list[subprocess.Popen[str]]:
        """They wait for a word when they are ready."""
        words = [f"--slices={self.slices}", f"--count={self.shape.count}", f"--size={self.shape.size}"]
        command = [sys.executable, "-m", "benchmarks.scaling.committer", *words, f"--seconds={seconds}"]
        with pinned(self.core):
            return [
                subprocess.Popen(
                    [*command, f"--name={name}{number}", *self.urls],
                    cwd=servers.ROOT,
                    text=True,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
                for number in range(self.count)
            ]


@dataclass(frozen=True)
class Reached:
    """By all clients together."""

    commits: float
    """A second."""
    documents: float
    """A second."""
    cores: Sequence[float]
    """The share of its core that each Redis used."""
    core_seconds: float
    """Of all of them, for one commit."""
    slow: float
    """Milliseconds of the slowest hundredth of the commits."""


def reached(clients: Sequence[Clients], seconds: float) -> Reached:
    """All of them at the same time; every Redis has to be empty."""
    urls = list(dict.fromkeys(url for one in clients for url in one.urls))
    with ExitStack() as stack:
        redises = [stack.enter_context(looking(url)) for url in urls]
        threads = [main_thread(redis) for redis in redises]
        children = [child for n, one in enumerate(clients) for child in one.start(seconds, f"p{n}-")]
        for child in children:
            stack.enter_context(child)
        _lines(children)  # ready
        before, started = [core_seconds(thread) for thread in threads], time.perf_counter()
        for child in children:
            _say(child)
        done = [Committed(**json.loads(line)) for line in _lines(children)]
        wall = time.perf_counter() - started
        used = [core_seconds(thread) - then for thread, then in zip(threads, before, strict=True)]
    commits = sum(one.commits for one in done)
    rate = sum(one.commits / one.seconds for one in done)
    shares = [one / wall for one in used]
    documents = rate * clients[0].shape.count
    return Reached(rate, documents, shares, sum(used) / commits, max(one.slow for one in done))


def _lines(children: Sequence[Any]) -> list[str]:
    lines = [child.stdout.readline() for child in children]
    if not all(lines):
        raise RuntimeError("a process that commits has ended before its time; see what it said above")
    return lines


def _say(child: Any) -> None:
    child.stdin.write("go\n")
    child.stdin.flush()


def full(url: str, shape: Shape, seconds: float) -> tuple[int, Reached]:
    """With as many processes as fill its core, or as many as help."""
    found, count = _alone(url, shape, 1, seconds), 1
    best = count, found
    while max(found.cores) <= FULL and count < MOST:
        count *= 2
        found = _alone(url, shape, count, seconds)
        if found.commits > best[1].commits:
            best = count, found
    return best


def _alone(url: str, shape: Shape, count: int, seconds: float) -> Reached:
    servers.empty(url)
    return reached([Clients([url], shape, count)], seconds)


def one_redis(url: str, seconds: float) -> str:
    """A table."""
    lines: list[Sequence[str]] = []
    for fsync in FSYNC:
        with looking(url) as redis:
            redis.config_set("appendfsync", fsync)
            for shape in SHAPES:
                count, found = full(url, shape, seconds)
                lines.append((fsync, str(shape), *_cells(count, found, shape)))
            redis.config_set("appendfsync", "everysec")
    heads = (
        "fsync",
        "page",
        "commits/s",
        "documents/s",
        "MB/s",
        "its core",
        "documents a core second",
        "p99 ms",
        "processes",
    )
    return table(heads, lines)


def _cells(count: int, found: Reached, shape: Shape) -> tuple[str, ...]:
    megabytes = found.commits * shape.bytes / 1e6
    a_second = shape.count / found.core_seconds
    return (
        *(f"{found.commits:,.0f}", f"{found.documents:,.0f}", f"{megabytes:,.1f}", f"{sum(found.cores):.0%}"),
        *(f"{a_second:,.0f}", f"{found.slow:.1f}", str(count)),
    )


@contextmanager
def on_core(url: str, core: int) -> Generator[None]:
    """A Redis that works on another core from now on."""
    with looking(url) as redis:
        for thread in Path(f"/proc/{main_thread(redis)}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})
    yield


def two_redises(place: Path, seconds: float) -> str:
    """A table: one on one core with its clients on the other, alone and with a replica; and two, each with its clients
    on the other's core."""
    shape, lines = Shape(), list[Sequence[str]]()
    with ExitStack() as stack:
        urls: list[str] = []
        for name, core in (("first", SERVERS), ("second", CLIENT)):
            (place / name).mkdir()
            urls.append(stack.enter_context(servers.redis(place / name)))
            stack.enter_context(on_core(urls[-1], core))
        first, second = Clients(urls[:1], shape, 2), Clients(urls[1:], shape, 2, SERVERS)
        lines.append(("one", *_emptied(urls, [first], seconds)))
        lines.append(("two", *_emptied(urls, [first, second], seconds)))
        servers.empty(urls[0])
        with replicated(*urls):
            lines.append(("one, with a replica", *_shares(reached([first], seconds))))
    return table(("Redis processes", "commits/s", "documents/s", "of a core, each", "us of a core a commit"), lines)


def _emptied(urls: Sequence[str], clients: Sequence[Clients], seconds: float) -> tuple[str, ...]:
    for url in urls:
        servers.empty(url)
    return _shares(reached(clients, seconds))


def _shares(found: Reached) -> tuple[str, ...]:
    shares = ", ".join(f"{share:.0%}" for share in found.cores)
    return f"{found.commits:,.0f}", f"{found.documents:,.0f}", shares, f"{1e6 * found.core_seconds:,.0f}"


@contextmanager
def replicated(primary: str, replica: str) -> Generator[None]:
    """The second follows the first."""
    parts = urlsplit(primary)
    with looking(replica) as redis:
        redis.replicaof(parts.hostname, parts.port)
        until = time.monotonic() + 30
        while redis.info("replication")["master_link_status"] != "up":
            if time.monotonic() > until:
                raise RuntimeError("the replica has not found its primary in 30 s")
            time.sleep(0.05)
        yield
