"""`pagefleet demo`: a real API server with real data, a fleet that drains it, and a worker killed in the middle.

All on this machine, in a temporary directory. At the end every document in the stream is compared with the row that
the server read it from.
"""

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pagefleet.cli import airports
from pagefleet.cli.local import LocalFleet
from pagefleet.cli.progress import Progress, beside
from pagefleet.crawlfile import parse
from pagefleet.embedded import embedded
from pagefleet.errors import PagefleetError
from pagefleet.fleet import Fleet, Handle
from pagefleet.settings import ALL
from pagefleet.status import Status

LOOK = 0.02
"""Seconds between two looks at a crawl whose next state somebody waits for."""


class DemoError(PagefleetError):
    """The demo did not come to its point."""


async def demonstrate(workers: int) -> int:
    """Run the demo; answers 0 when every document arrived once."""
    with tempfile.TemporaryDirectory(prefix="pagefleet-demo-") as directory:
        place = Path(directory)
        database = place / "airports.db"
        count = airports.build(database)
        _tell(1, f"{count:,} airports from the package airportsdata are in a database.")
        served = airports.served(database, place / "datasette.log")
        async with served as url, embedded(place / "redis") as redis, Fleet(redis) as fleet:
            _tell(2, f"Datasette, a server that we did not write, serves it on {url}.")
            handle = await fleet.enqueue(parse(airports.description(url)))
            async with LocalFleet(redis, workers, place / "workers.log", _ignore, ALL) as local:
                _tell(3, f"{workers} workers and a scheduler drain it, {airports.PAGE_SIZE} airports a page.")
                async with Progress(handle, lambda: len(local.workers), beside(sys.stdout.fileno())):
                    await _kill_half_way(handle, count)
                    status = await handle.wait()
            _tell(6, f"Finished: {status.documents:,} documents, {status.pages:,} pages; {status.verdict}.")
            return await _compare(handle, database)


async def _kill_half_way(handle: Handle, count: int) -> None:
    """SIGKILL for the worker that holds the lease, in the middle of the crawl, and a look at who takes over."""
    held = await _when(handle, lambda status: bool(status.worker) and status.documents > count // 2)
    pid = int(held.worker.rpartition(":")[2])
    os.kill(pid, signal.SIGKILL)
    started = asyncio.get_running_loop().time()
    where = f"at page {held.pages:,}, {held.documents:,} documents"
    _tell(4, f"kill -9 {pid}: the worker that holds the lease, {where}.")
    rescued = await _when(handle, lambda status: bool(status.worker) and status.worker != held.worker)
    waited = asyncio.get_running_loop().time() - started
    _tell(
        5,
        f"The lease ran out, the scheduler rescued the crawl, and worker {rescued.worker.rpartition(':')[2]} goes on "
        f"behind document {rescued.documents:,}, after {waited:.1f} s.",
    )


async def _when(handle: Handle, fact: Callable[[Status], bool]) -> Status:
    while not fact(status := await handle.status()):
        if status.state.is_over:
            raise DemoError(f"waiting for a worker to be killed: the crawl is {status.state} before: {status.error}")
        await asyncio.sleep(LOOK)
    return status


async def _compare(handle: Handle, database: Path) -> int:
    """What the stream holds against what the server holds, row by row."""
    truth: dict[str, Any] = {row["icao"]: row for row in airports.rows(database)}
    found = Counter[str]()
    different = 0
    async for document in handle.documents():
        said = json.loads(document)
        found[said["icao"]] += 1
        different += said != truth.get(said["icao"])
    missing = len(truth.keys() - found.keys())
    duplicated = sum(count - 1 for count in found.values())
    _tell(
        7,
        f"The server holds {len(truth):,} documents, the stream {found.total():,}: "
        f"{missing} missing, {duplicated} duplicated, {different} different.",
    )
    return 1 if missing or duplicated or different else 0


def _tell(step: int, line: str) -> None:
    print(f"{step}. {line}", flush=True)  # not by rich, whose consoles do not know of another's lines that change


def _ignore(line: str) -> None:
    """A worker died: it was us."""
