"""A fleet under test: a real Redis and real worker and scheduler processes, started, stopped and killed at will."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import anyio
from redis.asyncio import Redis

from pagefleet.embedded.server import find_server
from pagefleet.fleet import Handle
from tests.api import document

T = TypeVar("T")
Child = subprocess.Popen[bytes]


INSTALLED = os.pathsep.join(
    place for place in os.environ.get("PATH", "").split(os.pathsep) if Path(place) != Path(sys.executable).parent
)
"""PATH without this environment's own programs: an activated one would put the wheel's Redis first."""


async def wait_until(fact: Callable[[], Awaitable[T | None]], seconds: float = 60.0) -> T:
    """Wait for a fact, not for time: the first true answer of `fact`."""
    deadline = time.monotonic() + seconds
    while not (found := await fact()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {fact}"
        await anyio.sleep(0.02)
    return found


class Machine:
    """Everything runs on this machine, below `place`; `environment` sets times for all processes."""

    def __init__(self, place: Path, **environment: str) -> None:
        self.place = place
        self.url = f"unix://{place}/redis.sock"
        self.workers: list[Child] = []
        self.schedulers: list[Child] = []
        self.redis: Child | None = None
        self._environment = {**os.environ, **environment}
        self._all: list[Child] = []

    def start_redis(self, **environment: str) -> None:
        """With its append-only file on, as an embedded one has it; `environment` is for this process alone."""
        server = find_server()
        assert server is not None
        options = {
            "port": 0,
            "unixsocket": self.place / "redis.sock",
            "dir": self.place,
            "save": "",
            "appendonly": "yes",
        }
        words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
        self.redis = self.start([str(server), *words], environment)

    def start_worker(self, concurrency: int = 10, *, url: str | None = None, processes: int = 1) -> Child:
        """One more worker; `url` when it reaches Redis another way."""
        words = ["--concurrency", str(concurrency), "--processes", str(processes)]
        child = self.start([sys.executable, "-m", "pagefleet_worker", "--redis", url or self.url, *words])
        self.workers.append(child)
        return child

    def start_scheduler(self) -> Child:
        """One more scheduler."""
        child = self.start([sys.executable, "-m", "pagefleet_scheduler", "--redis", self.url])
        self.schedulers.append(child)
        return child

    def start(self, command: list[str], more: Mapping[str, str] | None = None) -> Child:
        """Any program, below `place`."""
        environment = {**self._environment, **(more or {})}
        with (self.place / "log").open("ab") as log:
            child = subprocess.Popen(
                command, cwd=self.place, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        self._all.append(child)
        return child

    def end_all(self) -> None:
        """Only what was started here, and all of it."""
        for child in self._all:
            if child.poll() is None:
                child.send_signal(signal.SIGKILL)
            child.wait()

    def log(self) -> str:
        """What all processes said."""
        return (self.place / "log").read_text(errors="replace")

    async def answers(self) -> None:
        """Redis is up."""
        async with Redis.from_url(self.url) as redis:

            async def ping() -> bool:
                try:
                    return bool(await redis.ping())
                except (OSError, Exception):  # noqa: BLE001  # not yet there, or still loading
                    return False

            await wait_until(ping)


@contextmanager
def machine(place: Path, **environment: str) -> Generator[Machine]:
    """A machine with a running Redis; nothing of it is left when the block ends."""
    started = Machine(place, **environment)
    try:
        started.start_redis()
        yield started
    finally:
        started.end_all()


async def assert_whole(handle: Handle, collection: str, count: int) -> None:
    """The stream holds what the server served: each document once, in the server's order, byte for byte."""
    found = [document_ async for document_ in handle.documents()]
    assert found == [document(collection, number) for number in range(count)]


async def assert_nothing_left(url: str) -> None:
    """No queue, nothing due, no lease, and no key of arq's without a lifetime."""
    redis: Any = Redis.from_url(url, decode_responses=True)  # Any: redis-py types most of its methods for two clients
    async with redis:
        assert await redis.zcard("pagefleet:queue") == 0
        assert await redis.zcard("pagefleet:due") == 0
        async for key in redis.scan_iter("arq:*"):
            assert await redis.pttl(key) > 0, key
        async for key in redis.scan_iter("pagefleet:slice:*"):
            assert not await redis.hget(key, "fence"), key
