"""From `enqueue` to the first document in the stream, on a fleet that has nothing else to do: many short crawls.

Between two of them a random part of the poll delay passes, else each would meet the worker in the same moment of it.
"""

import asyncio
import os
import random
import statistics
import time
from typing import Any

from benchmarks.crew import Crew
from benchmarks.machine import SERVERS
from benchmarks.outcome import Outcome, arguments
from benchmarks.pages import Place
from benchmarks.programs.product import description
from pagefleet import Fleet
from pagefleet.settings import Settings

SAMPLES = 40


async def waited(fleet: Fleet, crew: Crew, url: str, name: str) -> float:
    """Seconds until it was there."""
    redis: Any = fleet.redis
    crawl, started = description(url, name), time.perf_counter()
    handle = await fleet.enqueue(crawl)
    await redis.xread({handle.keys.documents: "0"}, count=1, block=10_000)
    seconds = time.perf_counter() - started
    await crew.over(handle)
    return seconds


async def sample(url: str, redis_url: str) -> Outcome:
    """All samples, the first ones not counted."""
    async with Fleet(redis_url) as fleet:
        with Crew(redis_url) as crew:
            for number in range(3):
                await waited(fleet, crew, url, f"warm{number}")
            seconds: list[float] = []
            before, started = crew.cpu(), time.perf_counter()
            for number in range(SAMPLES):
                await asyncio.sleep(random.uniform(0, Settings().poll))
                seconds.append(await waited(fleet, crew, url, f"bench{number}"))
            wall, more = time.perf_counter() - started, {"p50": statistics.median(seconds), "most": max(seconds)}
            return Outcome(SAMPLES * Place.of(url).documents, crew.cpu() - before, wall, crew.peak(), more)


def main() -> None:
    os.sched_setaffinity(0, {SERVERS})
    asyncio.run(sample(*arguments())).print()


if __name__ == "__main__":
    main()
