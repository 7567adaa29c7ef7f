"""A real fleet, small enough for this machine: what it sends to Redis, beside what the simulation says of it."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import servers
from benchmarks.crew import Crew
from benchmarks.pages import COLLECTIONS, Place
from benchmarks.programs.product import description
from benchmarks.report import table
from benchmarks.scaling.model import Costs, Fleet
from benchmarks.scaling.simulation import Simulation
from pagefleet import Fleet as Product

DELAY = 0.4
"""Seconds until the source answers."""
PAGES = 1000


@dataclass(frozen=True)
class Sent:
    """A second, by all of a fleet."""

    polls: float
    """With the sweeps' own ZRANGEBYSCORE."""
    scripts: float
    pages: float
    connections: int = 0
    """Of workers and schedulers, open at the end; not simulated."""


async def seen(place: Path, redis_url: str, workers: int, slices: int, seconds: float) -> Sent:
    """Of real processes and crawls; the workers are processes of one, and the scheduler is one."""
    with servers.site(place, DELAY, made=["b100"]) as origin:
        async with Product(redis_url) as fleet:
            first = Place(COLLECTIONS["b100"], PAGES, 1)
            url = origin + first.collection.path(1, PAGES)
            with Crew(redis_url, workers, 2 * slices + 1) as crew:
                handles = [await fleet.enqueue(description(url, f"crawl{number}")) for number in range(slices)]
                for handle in handles:
                    await crew.leased(fleet, handle)
                await crew.until(lambda: _are_up(fleet.redis, workers), 0.05)
                before, then = await _counts(fleet.redis)
                await asyncio.sleep(seconds)
                after, now = await _counts(fleet.redis)
                there: Any = fleet.redis
                connections = len(await there.client_list(_type="normal")) - 1
                for handle in handles:
                    await handle.cancel()
    polls, scripts, pages = (
        (after[name] - before[name]) / (now - then) for name in ("zrangebyscore", "evalsha", "pages")
    )
    return Sent(polls, scripts, pages, connections)


async def _are_up(redis: Any, workers: int) -> bool:
    """All of them have polled, and said that they are well."""
    return len([key async for key in redis.scan_iter("pagefleet:worker:*")]) == workers


async def _counts(redis: Any) -> tuple[dict[str, int], float]:
    """Calls so far, and when that is by Redis' clock."""
    stats = await redis.info("commandstats")
    counts = {name: stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("zrangebyscore", "evalsha")}
    pages = [await redis.hget(key, "pages") async for key in redis.scan_iter("pagefleet:slice:*")]
    counts["pages"] = sum(map(int, pages))
    seconds, microseconds = await redis.time()
    return counts, seconds + microseconds / 1e6


def told(costs: Costs, workers: int, slices: int, pages: float) -> Sent:
    """By the simulation, for as many pages as there were."""
    fleet = Fleet(workers=workers, slices=slices, pages=pages, slots=2 * slices + 1)
    rates = Simulation(fleet, costs).run(5, 20, 0).rates
    scripts = sum(rates.get(name, 0.0) for name in ("commit", "renew", "token", "rescue", "takeover", "lease"))
    return Sent(rates.get("poll", 0.0) + rates.get("sweep", 0.0), scripts, rates.get("commit", 0.0))


def compared(place: Path, redis_url: str, costs: Costs, seconds: float) -> str:
    """A table."""
    lines: list[tuple[str, ...]] = []
    for workers, slices in ((4, 0), (1, 10), (4, 10), (4, 40)):
        servers.empty(redis_url)
        real = asyncio.run(seen(place, redis_url, workers, slices, seconds))
        simulated = told(costs, workers, slices, real.pages)
        pairs = [(real.polls, simulated.polls), (real.scripts, simulated.scripts), (real.pages, simulated.pages)]
        cells = [f"{one:.0f} / {other:.0f}" for one, other in pairs]
        lines.append((str(workers), str(slices), *cells, str(real.connections)))
    return table(("worker processes", "slices", "polls and sweeps/s", "scripts/s", "pages/s", "connections"), lines)
