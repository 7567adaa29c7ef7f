"""The whole product: a worker process on the client's core, a scheduler on the servers', crawls by `Fleet.enqueue`.

Counted is the worker alone (with its children), from the moment at which the crawls are enqueued; wall time runs from
the first lease to the last commit, by Redis' clock. Some pages are crawled before, so that all is imported and open.

    --crawls 64       so many of the same pages at once
    --processes 2     of the worker; the second one on the servers' core
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from benchmarks.machine import CLIENT, SERVERS, cpu_seconds, family, peak_mebibytes
from benchmarks.outcome import Outcome
from benchmarks.pages import Place
from benchmarks.servers import Child, running
from pagefleet import Crawl, Fleet
from pagefleet.fleet import Handle

T = TypeVar("T")
WARM = 10
"""Pages before the first that counts."""
EARLY = 10_000
"""Documents after which a worker should have all the memory that it will ever want."""


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    url: str
    redis_url: str
    crawls: int
    processes: int

    @classmethod
    def read(cls) -> "Options":
        parser = argparse.ArgumentParser()
        parser.add_argument("--crawls", type=int, default=1)
        parser.add_argument("--processes", type=int, default=1)
        parser.add_argument("url")
        parser.add_argument("redis_url")
        return cls(**vars(parser.parse_args()))


def description(url: str, name: str) -> Crawl:
    """A crawl from a page to the last; its stream may hold them all."""
    paginate = {"kind": "next_url", "next": "next"}
    said = {"name": name, "url": url, "documents": "items", "paginate": paginate, "limits": {"backlog": None}}
    return Crawl.model_validate(said)


class Crew:
    """A worker and a scheduler, for as long as the block lasts."""

    def __init__(self, redis_url: str, processes: int, concurrency: int = 100) -> None:
        words = [f"--redis={redis_url}"]
        self._worker = [*words, f"--concurrency={concurrency}", f"--processes={processes}"]
        self._scheduler = words
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        place = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self._log = place / "log"
        self._start("pagefleet_scheduler", self._scheduler, SERVERS)
        self.worker = self._start("pagefleet_worker", self._worker, CLIENT)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self, module: str, words: list[str], core: int) -> Child:
        command = [sys.executable, "-m", module, *words]
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


async def crawl(options: Options) -> Outcome:
    """Enqueue and watch."""
    place = Place.of(options.url)
    origin = options.url.partition(place.collection.path(place.page, place.last))[0]
    async with Fleet(options.redis_url) as fleet:
        with Crew(options.redis_url, options.processes) as crew:
            warm = origin + place.collection.path(max(1, place.last - WARM + 1), place.last)
            names = [f"warm{number}" for number in range(options.crawls)]
            for handle in [await fleet.enqueue(description(warm, name)) for name in names]:
                await over(crew, handle)
            if options.processes > 1:
                crew.spread()
            before = crew.cpu()
            names = [f"bench{number}" for number in range(options.crawls)]
            handles = [await fleet.enqueue(description(options.url, name)) for name in names]
            started = min(await asyncio.gather(*[leased(fleet, crew, handle) for handle in handles]))
            early = await crew.until(lambda: early_peak(crew, handles[0]), 0.02) if options.crawls == 1 else 0.0
            ended = [await over(crew, handle) for handle in handles]
            documents = sum(status.documents for status in ended)
            wall = max(status.finished or 0.0 for status in ended) - started
            return Outcome(documents, crew.cpu() - before, wall, crew.peak(), {"rss_early": early})


async def leased(fleet: Fleet, crew: Crew, handle: Handle) -> float:
    """When a worker had it, by Redis' clock."""
    redis: Any = fleet.redis

    async def look() -> float | None:
        async with redis.pipeline() as pipe:
            fence, (seconds, microseconds) = await pipe.hget(handle.keys.slice, "fence").time().execute()
            return seconds + microseconds / 1e6 if fence else None

    return await crew.until(look, 0.002)


async def early_peak(crew: Crew, handle: Handle) -> float | None:
    """The most memory that the worker had when the first documents were there."""
    status = await handle.status()
    return crew.peak() if status.documents >= EARLY or status.state.is_over else None


async def over(crew: Crew, handle: Handle) -> Any:
    """Its status at its end; raises when it has failed."""

    async def look() -> Any:
        status = await handle.status()
        if status.error or (status.verdict and status.verdict.finding != "complete"):
            raise RuntimeError(f"{handle.id} {status.state}: {status.error or status.verdict}")
        return status if status.state.is_over else None

    return await crew.until(look, 0.02)


def main() -> None:
    os.sched_setaffinity(0, {SERVERS})
    asyncio.run(crawl(Options.read())).print()


if __name__ == "__main__":
    main()
