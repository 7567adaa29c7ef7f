"""A worker and a scheduler as processes of their own, and facts about the crawls that they are given.

The worker is on the client's core, the scheduler on the servers'.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self, TypeVar

from benchmarks.machine import CLIENT, SERVERS, cpu_seconds, family, peak_mebibytes
from benchmarks.servers import Child, running
from pagefleet.fleet import Fleet, Handle
from pagefleet.status import Status

T = TypeVar("T")
WITHOUT_UVLOOP = "import runpy, sys; sys.modules['uvloop'] = None; runpy.run_module('pagefleet_worker', {}, '__main__')"
"""A worker that does not find it."""


class Crew:
    """A worker and a scheduler, for as long as the block lasts."""

    def __init__(
        self,
        redis_url: str,
        processes: int = 1,
        concurrency: int = 100,
        worker: Sequence[str] = ("-m", "pagefleet_worker"),
    ) -> None:
        self._redis = f"--redis={redis_url}"
        self._worker = [*worker, self._redis, f"--concurrency={concurrency}", f"--processes={processes}"]
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._log = Path(self._stack.enter_context(tempfile.TemporaryDirectory())) / "log"
        self._start(["-m", "pagefleet_scheduler", self._redis], SERVERS)
        self.worker = self._start(self._worker, CLIENT)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self, words: list[str], core: int) -> Child:
        command = [sys.executable, *words]
        return self._stack.enter_context(running(command, self._log, core, PAGEFLEET_ALLOW="127.0.0.1"))

    def spread(self) -> None:
        """Of two processes under a parent, the second works on the servers' core."""
        for number, pid in enumerate(family(self.worker.pid)[1:]):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(thread.name), {SERVERS if number % 2 else CLIENT})

    def cpu(self) -> float:
        """Of the worker so far, with its children."""
        return cpu_seconds(family(self.worker.pid))

    def peak(self) -> float:
        """The most memory that one process of the worker had."""
        return max(peak_mebibytes(pid) for pid in family(self.worker.pid))

    async def until(self, fact: Callable[[], Awaitable[T | None]], seconds: float) -> T:
        """Look again and again until it is true, as long as the worker lives."""
        while not (found := await fact()):
            if self.worker.poll() is not None:
                raise RuntimeError(f"the worker has ended:\n{self._log.read_text()[-2000:]}")
            await asyncio.sleep(seconds)
        return found

    async def leased(self, fleet: Fleet, handle: Handle) -> float:
        """When a worker had it, by Redis' clock."""
        redis: Any = fleet.redis

        async def look() -> float | None:
            async with redis.pipeline() as pipe:
                fence, (seconds, microseconds) = await pipe.hget(handle.keys.slice, "fence").time().execute()
                return seconds + microseconds / 1e6 if fence else None

        return await self.until(look, 0.002)

    async def over(self, handle: Handle) -> Status:
        """Its status at its end; raises when it has failed."""

        async def look() -> Status | None:
            status = await handle.status()
            if status.error or (status.verdict and status.verdict.finding != "complete"):
                raise RuntimeError(f"{handle.id} {status.state}: {status.error or status.verdict}")
            return status if status.state.is_over else None

        return await self.until(look, 0.02)
