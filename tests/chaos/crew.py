"""The processes of a fleet under test: workers and schedulers, struck where it hurts and replaced."""

import asyncio
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from redis.exceptions import RedisError

from tests.chaos.nursery import Nursery
from tests.chaos.schedule import Blow
from tests.chaos.servers import Rows, Servers, rows

CONCURRENCY = "4"
URL_OPTIONS = "?socket_timeout=0.8"
"""Shorter than the proxies' longest delay: some replies come when nobody waits for them any more."""


class Crew:
    """`workers` and two schedulers, half of them behind each proxy."""

    def __init__(self, nursery: Nursery, servers: Servers, tally: Counter[str], workers: int) -> None:
        self._nursery = nursery
        self._servers = servers
        self._tally = tally
        self._started = 0
        self._thawing = set[asyncio.Task[None]]()
        self.workers = [self._start("worker", "--concurrency", CONCURRENCY) for _ in range(workers)]
        self.schedulers = [self._start("scheduler") for _ in range(2)]

    def _start(self, program: str, *arguments: str) -> int:
        self._started += 1
        proxy = self._servers.proxies[self._started % 2]
        return self._nursery.start(program, "--redis", proxy.url + URL_OPTIONS, *arguments)

    async def strike(self, blow: Blow) -> None:
        """One of those that hold a lease, if it is for a worker and Redis can say who does."""
        name, _, role = blow.what.partition(" ")
        crew = self.workers if role == "worker" else self.schedulers
        holders = await self._holders() if role == "worker" else set[int]()
        able = [pid for pid in crew if pid in holders] or crew
        index = crew.index(able[blow.which % len(able)])
        strike: dict[str, Callable[[list[int], int, Blow], None]] = {
            "SIGKILL": self._kill,
            "SIGTERM": self._terminate,
            "SIGSTOP": self._stop,
        }
        pid = crew[index]
        strike[name](crew, index, blow)
        held = role == "worker" and name != "SIGTERM" and pid in await self._holders()
        held = held or (name == "SIGTERM" and pid in holders)
        self._tally[f"{name}s of {role}s" + (" with a lease" if held else "")] += 1

    async def black_out(self) -> None:
        """SIGKILL for all of them in one instant."""
        holders = await self._holders()
        for crew in (self.workers, self.schedulers):
            for pid in crew:
                self._nursery.signal(pid, signal.SIGKILL)
        self._tally["SIGKILLs of workers with a lease"] += len(holders & set(self.workers))
        for crew in (self.workers, self.schedulers):
            crew[:] = [self._again(crew) for _ in crew]

    def _kill(self, crew: list[int], index: int, _: Blow) -> None:
        self._nursery.signal(crew[index], signal.SIGKILL)
        crew[index] = self._again(crew)

    def _terminate(self, crew: list[int], index: int, _: Blow) -> None:
        self._nursery.signal(crew[index], signal.SIGTERM)
        crew[index] = self._again(crew)

    def _stop(self, crew: list[int], index: int, blow: Blow) -> None:
        pid = crew[index]
        self._nursery.signal(pid, signal.SIGSTOP)

        async def thaw() -> None:
            await asyncio.sleep(blow.seconds * 2)
            self._nursery.signal(pid, signal.SIGCONT)

        thawing = asyncio.create_task(thaw())
        self._thawing.add(thawing)
        thawing.add_done_callback(self._thawing.discard)

    def _again(self, crew: list[int]) -> int:
        if crew is self.schedulers:
            return self._start("scheduler")
        return self._start("worker", "--concurrency", CONCURRENCY)

    async def thawed(self) -> None:
        """Waits until nobody is stopped any more."""
        await asyncio.gather(*self._thawing)

    async def _holders(self) -> set[int]:
        """Of leases, by the word of the primary."""
        found: Rows = {}
        with suppress(RedisError, OSError):
            found = await rows(self._servers.url)
        return {int(worker.rpartition(":")[2]) for _, worker in found.values() if worker}

    async def tend(self) -> None:
        """As systemd or Docker does: who ended by themselves is started again. That is no fault of those whose first
        question met a Redis that was down; the log tells how many these were."""
        while True:
            for crew in (self.workers, self.schedulers):
                for index, pid in enumerate(crew):
                    if not self._nursery.signal(pid, 0):
                        self._tally["ended by themselves"] += 1
                        crew[index] = self._again(crew)
            await asyncio.sleep(0.3)
