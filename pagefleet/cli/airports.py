"""A real API with real data, on this machine: Datasette serves the airports of the world (airportsdata)."""

import asyncio
import importlib
import importlib.util
import socket
import sqlite3
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx

from pagefleet.errors import PagefleetError

PAGE_SIZE = 100
PATIENCE = 60.0
"""Seconds for the server to start; it takes two."""


class AirportsError(PagefleetError):
    """The server of the airports cannot be had."""


def build(database: Path) -> int:
    """Write the airports into a table, and answer how many there are."""
    for package in ("airportsdata", "datasette"):
        if importlib.util.find_spec(package) is None:
            raise AirportsError(f"starting Datasette: {package} is not installed; pip install 'pagefleet[demo]'")
    airports = importlib.import_module("airportsdata").load("ICAO").values()
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "create table airports (icao primary key, iata, name, city, subd, country, elevation, lat, lon, tz, lid)"
        )
        connection.executemany(
            "insert into airports values"
            " (:icao, :iata, :name, :city, :subd, :country, :elevation, :lat, :lon, :tz, :lid)",
            airports,
        )
    return len(airports)


def rows(database: Path) -> list[dict[str, Any]]:
    """All that the server serves, in its order."""
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute("select * from airports order by icao")]


def description(url: str) -> dict[str, Any]:
    """The crawl of all airports as plain data, as a crawl file says it."""
    return {
        "name": "airports",
        "url": f"{url}/airports/airports.json",
        "params": {"_shape": "objects", "_size": PAGE_SIZE},
        "documents": "rows",
        "key": "icao",
        "total": "filtered_table_rows_count",
        "paginate": {"kind": "next_url", "next": "next_url"},
    }


@asynccontextmanager
async def served(database: Path, log: Path) -> AsyncGenerator[str]:
    """Datasette on a free port, for the length of the block; yields its origin."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "datasette", "serve", str(database), "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as words:
        server = await asyncio.create_subprocess_exec(*command, stdout=words, stderr=words, start_new_session=True)
    try:
        await _answers(url, server, log)
        yield url
    finally:
        if server.returncode is None:
            server.terminate()
        await server.wait()


async def _answers(url: str, server: asyncio.subprocess.Process, log: Path) -> None:
    ended = asyncio.create_task(server.wait(), name="wait for Datasette to end")
    async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(PATIENCE):
        while not await _is_there(client, url):
            if ended in (await asyncio.wait({ended}, timeout=0.1))[0]:
                last_words = (await asyncio.to_thread(log.read_text)).strip().rpartition("\n")[2]
                raise AirportsError(f"starting Datasette: it ended with status {server.returncode}: {last_words}")
    ended.cancel()


async def _is_there(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(f"{url}/-/versions.json")).is_success
    except httpx.TransportError:
        return False
