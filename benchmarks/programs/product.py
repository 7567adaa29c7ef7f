"""The whole product: a worker process on the client's core, a scheduler on the servers', crawls by `Fleet.enqueue`.

Counted is the worker alone (with its children), from the moment at which the crawls are enqueued; wall time runs from
the first lease to the last commit, by Redis' clock. Some pages are crawled before, so that all is imported and open.

    --crawls 64        so many of the same pages
    --processes 2      of the worker; the second one on the servers' core
    --concurrency 1    so many crawls at once in a process
    --key              documents are delivered with their ids
    --window 8         of a paginator that counts; without it, each page names the next
    --loop asyncio     in place of uvloop's
    --profile FILE     py-spy's samples of the worker
"""

import argparse
import asyncio
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.crew import WITHOUT_UVLOOP, Crew
from benchmarks.machine import SERVERS, cpu_seconds, family, kernel_seconds, servers_pids
from benchmarks.outcome import Outcome
from benchmarks.pages import Place
from benchmarks.sampling import sampled
from pagefleet import Crawl, Fleet
from pagefleet.fleet import Handle

WARM = 10
"""Pages before the first that counts, in all crawls together; two of each, for one alone is suspect."""
EARLY = 10_000
"""Documents after which a worker should have all the memory that it will ever want."""


def options() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--crawls", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--concurrency", type=int, default=100)
    parser.add_argument("--key", action="store_true")
    parser.add_argument("--window", type=int, default=0)
    parser.add_argument("--loop", choices=["uvloop", "asyncio"], default="uvloop")
    parser.add_argument("--profile", type=Path)
    parser.add_argument("url")
    parser.add_argument("redis_url")
    return parser.parse_args()


def description(url: str, name: str, *, key: bool = False, window: int = 0) -> Crawl:
    """A crawl from a page to the last; its stream may hold them all."""
    is_xml = Place.of(url).collection.is_xml
    documents, following = ("//document", "//next") if is_xml else ("items", "next")
    said: dict[str, Any] = {"name": name, "url": url, "documents": documents, "limits": {"backlog": None}}
    said["format"] = "xml" if is_xml else "auto"
    said["key"] = "id" if key else None
    said["paginate"] = {"kind": "offset", "window": window} if window else {"kind": "next_url", "next": following}
    return Crawl.model_validate(said)


async def crawl(said: argparse.Namespace) -> Outcome:
    """Enqueue and watch."""
    place = Place.of(said.url)
    origin = said.url.partition(place.collection.path(place.page, place.last))[0]
    worker = ("-c", WITHOUT_UVLOOP) if said.loop == "asyncio" else ("-m", "pagefleet_worker")
    async with Fleet(said.redis_url) as fleet:
        with Crew(said.redis_url, said.processes, said.concurrency, worker) as crew:
            warm = origin + place.collection.path(max(1, place.last - max(1, WARM // said.crawls)), place.last)
            crawls = [description(warm, f"warm{n}", key=said.key, window=said.window) for n in range(said.crawls)]
            for handle in [await fleet.enqueue(crawl) for crawl in crawls]:
                await crew.over(handle)
            if said.processes > 1:
                crew.spread()
            crawls = [description(said.url, f"bench{n}", key=said.key, window=said.window) for n in range(said.crawls)]
            with sampled(crew.worker.pid, said.profile) if said.profile else ExitStack():
                return await measured(fleet, crew, crawls)


async def measured(fleet: Fleet, crew: Crew, crawls: list[Crawl]) -> Outcome:
    """What it takes from enqueueing them to their end."""
    servers = servers_pids()
    before, kernel, served = crew.cpu(), kernel_seconds(family(crew.worker.pid)), cpu_seconds(servers)
    handles = [await fleet.enqueue(crawls[0])]
    first = asyncio.create_task(crew.leased(fleet, handles[0]))
    handles += [await fleet.enqueue(crawl) for crawl in crawls[1:]]
    started = await first
    early = await crew.until(lambda: early_peak(crew, handles[0]), 0.02) if len(handles) == 1 else 0.0
    ended = [await crew.over(handle) for handle in handles]
    wall = max(status.finished or 0.0 for status in ended) - started
    more = {
        "rss_early": early,
        "cpu_kernel": kernel_seconds(family(crew.worker.pid)) - kernel,
        "cpu_servers": cpu_seconds(servers) - served,
    }
    return Outcome(sum(status.documents for status in ended), crew.cpu() - before, wall, crew.peak(), more)


async def early_peak(crew: Crew, handle: Handle) -> float | None:
    """The most memory that the worker had when the first documents were there."""
    status = await handle.status()
    return crew.peak() if status.documents >= EARLY or status.state.is_over else None


def main() -> None:
    os.sched_setaffinity(0, {SERVERS})
    asyncio.run(crawl(options())).print()


if __name__ == "__main__":
    main()
