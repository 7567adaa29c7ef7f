"""A program that commits as fast as it gets answers: many slices at once, through the library's scripts.

It says `ready` when they are leased, begins at a line on its standard input, and ends with a line of JSON.
Several URLs are the nodes of a cluster: each slice goes to its own.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from itertools import count

from benchmarks.machine import loop_factory
from benchmarks.scaling.halves import DataHalf, Slots
from benchmarks.scaling.stage import Shape, StageSlice, connected
from pagefleet.keys import SliceKeys
from pagefleet.scripts import Scripts

PATIENCE = 15.0


@dataclass(frozen=True, slots=True)
class Committed:
    """What one process did; milliseconds from a commit's first byte to its answer."""

    commits: int
    seconds: float
    median: float
    slow: float
    """The 99th percentile."""


def options() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--slices", type=int, default=16)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--bytes", type=int, default=256 * 1024**2, help="of documents, at most")
    parser.add_argument("redis_urls", nargs="+")
    return parser.parse_args()


async def run(said: argparse.Namespace) -> Committed:
    """Lease, wait, commit."""
    shape = Shape(said.count, said.size)
    async with AsyncExitStack() as stack:
        slices = await _leased(said, shape, stack)
        await asyncio.gather(*(one.commit() for one in slices))
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        started, took = time.perf_counter(), list[float]()
        most = said.bytes // shape.bytes // len(slices)
        until = started + said.seconds
        await asyncio.gather(*(_commits(one, until, most, took) for one in slices))
        seconds = time.perf_counter() - started
    percentiles = statistics.quantiles(took, n=100)
    return Committed(len(took), seconds, 1000 * percentiles[49], 1000 * percentiles[98])


async def _leased(said: argparse.Namespace, shape: Shape, stack: AsyncExitStack) -> list[StageSlice]:
    clients = [await stack.enter_async_context(connected(url)) for url in said.redis_urls]
    if len(clients) == 1:
        scripts = Scripts(clients[0], PATIENCE)
        return [await StageSlice.lease(scripts, f"{said.name}-{n}", shape) for n in range(said.slices)]
    slots = await Slots.of(clients[0])
    nodes = {url: DataHalf(client, PATIENCE) for url, client in zip(said.redis_urls, clients, strict=True)}
    names = [f"{said.name}-{n}" for n in range(said.slices)]
    return [await StageSlice.lease(nodes[slots.url(SliceKeys(name).slice)], name, shape) for name in names]


async def _commits(held: StageSlice, until: float, most: int, took: list[float]) -> None:
    for done in count():
        before = time.perf_counter()
        if before > until or done == most:
            return
        await held.commit()
        took.append(time.perf_counter() - before)


def main() -> None:
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        print(json.dumps(asdict(runner.run(run(options())))), flush=True)


if __name__ == "__main__":
    main()
