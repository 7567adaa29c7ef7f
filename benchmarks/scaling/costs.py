"""What each thing that a fleet does costs Redis: microseconds of its one core."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict

from benchmarks import servers
from benchmarks.report import table
from benchmarks.scaling.model import Costs
from benchmarks.scaling.spent import spent
from benchmarks.scaling.stage import DESCRIPTION, LEASE, WORKER, Shape, StageSlice, connected, leased, looking
from benchmarks.scaling.wire import Command, core_time, opened
from pagefleet.keys import DUE, QUEUE, SliceKeys
from pagefleet.scripts import Scripts

Step = Callable[[SliceKeys], Awaitable[object]]
SHAPES = tuple(Shape(count, size) for size in (100, 1024, 10 * 1024) for count in (1, 10, 100, 500))
LARGEST = 1024**2
"""Bytes of one commit, as a worker has it."""
VOLUME = 32 * 1024**2
AT_ONCE = 50
"""Commands that wait for Redis at any time; when it waits for commands, each costs it more."""
SLICES = 1000
WIRES = 200
CROWDS = (100, 1000, 5000, 10_000)
NOW = 1764400000000
POLL: Command = ("ZRANGEBYSCORE", QUEUE, "-inf", NOW, "LIMIT", 0, 1000)


WHAT = {
    "poll": ("arq looks at an empty queue (ZRANGEBYSCORE)", 1),
    "look": ("arq looks at one job (WATCH, EXISTS, ZSCORE, UNWATCH)", 4),
    "take": ("arq takes it (MULTI, PSETEX, EXEC)", 1),
    "begin": ("arq begins it (MULTI, GET, INCR, EXPIRE, EXEC)", 1),
    "end": ("arq ends it (MULTI, ZREM twice, DEL, EXEC)", 1),
    "lease": ("lease", 1),
    "renew": ("renew", 1),
    "commit": (f"commit a page of {Shape()}", 1),
    "token": ("token", 1),
    "sweep": ("a scheduler asks what is due (TIME, ZRANGEBYSCORE)", 2),
    "rescue": ("rescue: a look at a slice that is leased", 1),
    "takeover": ("rescue: of an abandoned slice", 1),
    "enqueue": ("enqueue a crawl", 1),
    "release": ("release", 1),
}
"""What the costs are of, and how many round trips that is."""


def listed(costs: Costs) -> str:
    """A table."""
    known = asdict(costs)
    lines = [
        (what, f"{trips}", f"{known[name]:.1f}", f"{1e6 / known[name]:,.0f}") for name, (what, trips) in WHAT.items()
    ]
    return table(("what", "round trips", "us of Redis' core", "in a second, if it did nothing else"), lines)


def measured(url: str) -> Costs:
    """All of them, on a Redis that is emptied."""
    servers.empty(url)
    commit = asyncio.run(_commits(url, Shape()))
    return Costs(commit=commit[0], **_arq(url), **asyncio.run(_scripts(url)))


def polls(url: str) -> dict[int, float]:
    """A poll by how many connections there are: with more of them, less is in the processor's caches."""
    costs: dict[int, float] = {}
    with looking(url) as redis:
        redis.config_set("maxclients", max(CROWDS) + 100)
        for crowd in CROWDS:
            with opened(url, crowd) as wires:
                costs[crowd] = 1e6 * core_time(redis, wires, [[POLL]], max(2, 4000 // crowd), crowd)
    return costs


def commits(url: str) -> str:
    """A table of what a commit costs, by the page's shape."""
    lines: list[Sequence[str]] = []
    for shape in SHAPES:
        if shape.bytes <= LARGEST:
            servers.empty(url)
            core, inside = asyncio.run(_commits(url, shape))
            each = core / shape.count
            lines.append((str(shape), f"{core:,.0f}", f"{inside:,.0f}", f"{each:.2f}", f"{1e6 / each:,.0f}"))
    heads = "page", "us of Redis' core a commit", "of them in the script", "us a document", "documents a core second"
    return table(heads, lines)


async def _commits(url: str, shape: Shape) -> tuple[float, float]:
    with looking(url) as redis:
        async with connected(url) as client:
            slices = await leased(Scripts(client, 15.0), AT_ONCE, shape)
            each = max(4, min(40, VOLUME // shape.bytes // AT_ONCE))
            await asyncio.gather(*(one.commit() for one in slices))
            with spent(redis) as found:
                await asyncio.gather(*(_several(one, each) for one in slices))
    return found.core / each / AT_ONCE * 1e6, found.inside / each / AT_ONCE * 1e6


async def _several(held: StageSlice, times: int) -> None:
    for _ in range(times):
        await held.commit()


def _arq(url: str) -> dict[str, float]:
    """What arq's worker sends (`arq/worker.py`: `_poll_iteration`, `start_jobs`, `run_job`, `finish_job`)."""
    job = "crawl:0:1"
    lock, body, tries = f"arq:in-progress:{job}", f"arq:job:{job}", f"arq:retry:{job}"
    watch: list[Sequence[Command]] = [[("WATCH", lock)], [("EXISTS", lock)], [("ZSCORE", QUEUE, job)]]
    take: list[Command] = [("MULTI",), ("PSETEX", lock, 86410000, "1"), ("EXEC",)]
    begin: list[Command] = [("MULTI",), ("GET", body), ("INCR", tries), ("EXPIRE", tries, 88400), ("EXEC",)]
    dropped: list[Command] = [("ZREM", "arq:abort", job), ("ZREM", QUEUE, job), ("DEL", lock, tries, body)]
    sweep: list[Sequence[Command]] = [[("TIME",)], [("ZRANGEBYSCORE", DUE, "-inf", NOW, "LIMIT", 0, 200)]]
    trips: dict[str, list[Sequence[Command]]] = {
        "poll": [[POLL]],
        "look": [*watch, [("UNWATCH",)]],
        "take": [take],
        "begin": [begin],
        "end": [[("MULTI",), *dropped, ("EXEC",)]],
        "sweep": sweep,
    }
    with looking(url) as redis, opened(url, WIRES) as wires:
        return {name: 1e6 * core_time(redis, wires, every, 20, WIRES) for name, every in trips.items()}


async def _scripts(url: str) -> dict[str, float]:
    servers.empty(url)
    costs: dict[str, float] = {}
    slices = [SliceKeys(f"crawl{n}") for n in range(SLICES)]
    with looking(url) as redis:
        async with connected(url) as client:
            for name, step in _Steps(Scripts(client, 15.0)).all():
                with spent(redis) as found:
                    await _at_once(step, slices)
                costs[name] = found.core / SLICES * 1e6
    del costs["abandon"]
    return costs


class _Steps:
    """What happens to a slice, one after the other."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._fences: dict[SliceKeys, str] = {}

    def all(self) -> list[tuple[str, Step]]:
        """By the names of their costs; the slice is leased twice, and the second time nobody renews it."""
        first = [("enqueue", self._enqueue), ("lease", self._lease), ("renew", self._renew)]
        then = [("rescue", self._scripts.rescue), ("release", self._release), ("abandon", self._abandon)]
        return [*first, *then, ("takeover", self._scripts.rescue), ("token", self._token)]

    async def _enqueue(self, keys: SliceKeys) -> None:
        await self._scripts.enqueue(keys, DESCRIPTION, keys.crawl, 0)

    async def _lease(self, keys: SliceKeys) -> None:
        taken = await self._scripts.lease(keys, 1, secrets.token_hex(16), LEASE, WORKER)
        self._fences[keys] = taken.fence if taken else ""

    async def _abandon(self, keys: SliceKeys) -> None:
        await self._scripts.lease(keys, 2, secrets.token_hex(16), 0.0, WORKER)

    async def _renew(self, keys: SliceKeys) -> None:
        await self._scripts.renew(keys, self._fences[keys], LEASE)

    async def _release(self, keys: SliceKeys) -> None:
        await self._scripts.release(keys, self._fences[keys], "queued")

    async def _token(self, keys: SliceKeys) -> None:
        await self._scripts.token(f"https://{keys.crawl}.example.com", 0.01, 10, 0.25)


async def _at_once(step: Step, tags: Iterable[SliceKeys]) -> None:
    """Each once, so many at any time."""
    left = iter(tags)

    async def several() -> None:
        for keys in left:
            await step(keys)

    await asyncio.gather(*(several() for _ in range(AT_ONCE)))


def crowded(costs: Mapping[int, float]) -> str:
    """A table of polls."""
    return table(
        ("connections that poll", "us a poll"), ((f"{crowd:,}", f"{cost:.1f}") for crowd, cost in costs.items())
    )
