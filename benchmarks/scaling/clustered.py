"""What of ours works on a Redis Cluster, found out by doing it, and what the data half costs there."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from itertools import count, product
from pathlib import Path

from redis.exceptions import RedisError

from benchmarks import servers
from benchmarks.report import table
from benchmarks.scaling.carrier import arq_lines
from benchmarks.scaling.cluster import cluster
from benchmarks.scaling.halves import DataHalf, Slots, elsewhere
from benchmarks.scaling.limits import Clients, reached
from benchmarks.scaling.stage import DESCRIPTION, LEASE, WORKER, Shape, connected
from pagefleet.keys import SliceKeys
from pagefleet.page import Checkpoint
from pagefleet.scripts import WITHOUT_PRELUDE, Part, Scripts, Split

KEYS = SliceKeys("stories")
ORIGIN = "https://api.example.com"
SHAPES = (Shape(1, 1024), Shape(100, 1024))
Step = Callable[[], Awaitable[object]]


def steps(scripts: Scripts, other: SliceKeys = KEYS) -> Mapping[str, Step]:
    """One call of each script, in an order in which each finds what it needs; `other` is split, which ends it."""
    fence = secrets.token_hex(16)
    part = Part("commit", Checkpoint(), Checkpoint(2, 0, "next"), "", [b"{}"])
    return {
        "enqueue": lambda: scripts.enqueue(KEYS, DESCRIPTION, "fingerprint", 0),
        "lease": lambda: _leased(scripts, fence),
        "commit": lambda: scripts.commit(KEYS, part, fence, LEASE, WORKER),
        "renew": lambda: scripts.renew(KEYS, fence, LEASE),
        "acknowledge": lambda: scripts.acknowledge(KEYS, "reader", "1-0"),
        "rescue": lambda: scripts.rescue(KEYS),
        "release": lambda: scripts.release(KEYS, fence, "queued"),
        "steer": lambda: scripts.steer(KEYS, "pause"),
        "delete": lambda: _deleted(scripts),
        "split": lambda: _split(scripts, other, fence),
        "token": lambda: scripts.token(ORIGIN, 0.01, 10, 0.25),
        "retry": lambda: scripts.retry(ORIGIN, KEYS.tag),
        "block": lambda: scripts.block(ORIGIN, 1.0),
    }


async def outcome(step: Step) -> str:
    """What came of it, in a word."""
    try:
        answer = await step()
    except RedisError as error:
        code = str(error).partition(" ")[0]
        return code if code.isupper() and code != "ERR" else "fails"
    return f"answers {answer}" if answer in ("stale", "fenced", "gone") else "works"


async def _leased(scripts: Scripts, fence: str) -> str:
    return "leased" if await scripts.lease(KEYS, 1, fence, LEASE, WORKER) else "stale"


async def scripts_on(urls: Sequence[str], bus: str) -> list[Sequence[str]]:
    """Each script as it is shipped, its data half, and what is left to do elsewhere."""
    async with AsyncExitStack() as stack:
        slots = await Slots.of(await stack.enter_async_context(connected(urls[0])))
        nodes = {url: await stack.enter_async_context(connected(url)) for url in urls}
        here, origins = nodes[slots.url(KEYS.slice)], nodes[slots.url(f"pagefleet:budget:{{{ORIGIN}}}")]
        half = DataHalf(here, 1.0)
        half.bus = await stack.enter_async_context(connected(bus))
        named = (SliceKeys(f"split{number}") for number in count())
        other = next(keys for keys in named if slots.url(keys.slice) == slots.url(KEYS.slice))
        shipped, halves = steps(Scripts(here, 1.0), other), steps(half, other)
        alone = steps(Scripts(origins, 1.0))
        lines: list[Sequence[str]] = []
        for name, step in shipped.items():
            if name in WITHOUT_PRELUDE:
                lines.append((name, await outcome(alone[name]), "the same", "", ""))
            else:
                writes, reads = (", ".join(f"`{text}`" for text in texts) for texts in elsewhere(name))
                lines.append((name, await outcome(step), await outcome(halves[name]), writes, reads))
        return lines


async def _split(scripts: Scripts, keys: SliceKeys, fence: str) -> str:
    await scripts.enqueue(keys, DESCRIPTION, "fingerprint", 0)
    await scripts.lease(keys, 1, fence, LEASE, WORKER)
    return (await scripts.split(keys, Split("split", Checkpoint(), [{"from": 1}, {"from": 2}]), fence, WORKER))[0]


async def _deleted(scripts: Scripts) -> str:
    await scripts.steer(KEYS, "cancel")
    return await scripts.delete(KEYS, "another")


def commits(place: Path, seconds: float) -> str:
    """What a commit costs on a Redis and on a node of a cluster, and how three nodes share the work."""
    lines: list[Sequence[str]] = []
    with ExitStack() as stack:
        (place / "plain").mkdir()
        plain = [stack.enter_context(servers.redis(place / "plain"))]
        nodes = stack.enter_context(cluster(place / "nodes"))
        for shape, (said, urls) in product(SHAPES, (("one Redis", plain), ("three nodes", nodes))):
            for url in urls:
                servers.empty(url)
            found = reached([Clients(urls, shape, 2, slices=48)], seconds)
            total, core = sum(found.cores), 1e6 * found.core_seconds
            shares = ", ".join(f"{share / total:.0%}" for share in found.cores)
            lines.append((str(shape), said, f"{core:,.0f}", shares, f"{len(urls) * 1e6 / core:,.0f}"))
    return table(("page", "", "us of a core a commit", "the work's shares", "commits/s if each had a core"), lines)


def everything(place: Path, seconds: float) -> str:
    """All tables."""
    (place / "bus").mkdir()
    with cluster(place / "cluster") as urls, servers.redis(place / "bus") as bus:
        scripts = asyncio.run(scripts_on(urls, bus))
        arqs = asyncio.run(arq_lines(urls))
    heads = "script", "as shipped", "its data half", "writes elsewhere", "reads elsewhere"
    return "\n\n".join(
        (table(heads, scripts), table(("arq on a cluster", "what came of it"), arqs), commits(place, seconds))
    )
