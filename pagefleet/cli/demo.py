"""`pagefleet demo`: a real API server with real data, a fleet that drains it, and a worker killed in the middle.

The server is Datasette, the data are the airports of the world (airportsdata), all on this machine, in a temporary
directory. At the end every document in the stream is compared with the row that the server read it from.
"""

import asyncio
import json
import os
import signal
import socket
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from pagefleet.cli.local import LocalFleet
from pagefleet.cli.progress import Progress
from pagefleet.crawl import Crawl, parse
from pagefleet.embedded import embedded
from pagefleet.errors import PagefleetError
from pagefleet.fleet import Fleet, Handle, Status

say = Console(highlight=False, soft_wrap=True)
PAGE_SIZE = 100


async def demonstrate(workers: int) -> int:
    """Run the demo; answers 0 when every document arrived once."""
    with tempfile.TemporaryDirectory(prefix="pagefleet-demo-") as directory:
        place = Path(directory)
        database = place / "airports.db"
        rows = _build(database)
        say.print(f"[bold]1.[/bold] {rows:,} airports from the package airportsdata are in a database.")
        async with _datasette(database, place) as url, embedded(place / "redis") as redis, Fleet(redis) as fleet:
            say.print(f"[bold]2.[/bold] Datasette, a server that we did not write, serves it on {url}.")
            handle = await fleet.enqueue(_crawl(url))
            async with LocalFleet(redis, workers, place / "workers.log") as local:
                say.print(f"[bold]3.[/bold] {workers} workers and a scheduler drain it, {PAGE_SIZE} airports a page.")
                async with Progress(handle, lambda: len(local.workers)):
                    await _kill_half_way(handle, rows)
                    status = await handle.wait()
            say.print(
                f"[bold]6.[/bold] Finished: {status.documents:,} documents, {status.pages:,} pages; {status.verdict}."
            )
            return await _compare(handle, database)


def _build(database: Path) -> int:
    """The airports as a table; raises when the packages of the demo are not installed."""
    try:
        import airportsdata  # noqa: PLC0415 — an extra
        import datasette  # noqa: F401, PLC0415 — an extra
    except ModuleNotFoundError as error:
        raise PagefleetError(f"starting the demo: it needs {error.name}; pip install 'pagefleet[demo]'") from error
    airports = list(airportsdata.load("ICAO").values())
    columns = list(airports[0])
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(f"create table airports ({', '.join(columns)}, primary key (icao))")
        marks = ", ".join("?" * len(columns))
        connection.executemany(f"insert into airports values ({marks})", [tuple(a.values()) for a in airports])
        connection.commit()
    return len(airports)


def _crawl(url: str) -> Crawl:
    return parse(
        {
            "name": "airports",
            "url": f"{url}/airports/airports.json",
            "params": {"_shape": "objects", "_size": PAGE_SIZE},
            "documents": "rows",
            "key": "icao",
            "total": "filtered_table_rows_count",
            "paginate": {"kind": "next_url", "next": "next_url"},
        }
    )


@asynccontextmanager
async def _datasette(database: Path, place: Path) -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "datasette", "serve", str(database), "--host", "127.0.0.1", "--port", str(port)]
    with (place / "datasette.log").open("wb") as log:
        server = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log, start_new_session=True)
    try:
        await _answers(f"http://127.0.0.1:{port}", server, place / "datasette.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        if server.returncode is None:
            server.terminate()
        await server.wait()


async def _answers(url: str, server: asyncio.subprocess.Process, log: Path) -> None:
    async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(60):
        while True:
            try:
                await client.get(f"{url}/-/versions.json")
                return
            except httpx.TransportError:
                if server.returncode is not None:
                    raise PagefleetError(f"starting Datasette: it ended at once: {log.read_text()[-300:]}") from None
                await asyncio.sleep(0.1)


async def _kill_half_way(handle: Handle, rows: int) -> None:
    """SIGKILL for the worker that holds the lease, in the middle of the crawl, and a look at who takes over."""
    held = await _when(handle, lambda status: bool(status.worker) and status.documents > rows // 2)
    pid = int(held.worker.rpartition(":")[2])
    os.kill(pid, signal.SIGKILL)
    started = asyncio.get_running_loop().time()
    say.print(
        f"[bold]4.[/bold] kill -9 {pid}: the worker that holds the lease, at page {held.pages:,}, {held.documents:,} documents."
    )
    rescued = await _when(
        handle, lambda status: bool(status.worker) and status.worker != held.worker or status.state.is_over
    )
    waited = asyncio.get_running_loop().time() - started
    say.print(
        f"[bold]5.[/bold] The lease ran out, the scheduler rescued the crawl, and {rescued.worker.rpartition(':')[2]} "
        f"goes on behind document {rescued.documents:,}, after {waited:.1f} s."
    )


async def _when(handle: Handle, fact: Any) -> Status:
    while not fact(status := await handle.status()):
        await asyncio.sleep(0.02)
    return status


async def _compare(handle: Handle, database: Path) -> int:
    """What the stream holds against what the server holds, row by row."""
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        truth = {row["icao"]: dict(row) for row in connection.execute("select * from airports")}
    found = Counter[str]()
    different = 0
    async for document in handle.documents():
        said = json.loads(document)
        found[said["icao"]] += 1
        different += said != truth.get(said["icao"])
    missing = len(truth.keys() - found.keys())
    duplicated = sum(count - 1 for count in found.values())
    say.print(
        f"[bold]7.[/bold] The server holds {len(truth):,} documents, the stream {found.total():,}: "
        f"{missing} missing, {duplicated} duplicated, {different} different."
    )
    return 1 if missing or duplicated or different else 0
