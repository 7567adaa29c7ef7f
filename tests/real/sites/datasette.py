"""Datasette over a table for each collection."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.real.database import rows, write_tables
from tests.real.process import Site, started


@contextmanager
def datasette(place: Path) -> Generator[Site]:
    """The tables are below `/things/`."""
    database = place / "things.db"
    write_tables(database)

    def expected(_: str, collection: str) -> list[Any]:
        return rows(database, f"select * from {collection} order by id")  # noqa: S608 — a name of ours

    command = [sys.executable, "-m", "datasette", "serve", str(database), "--host", "127.0.0.1", "--port", "0"]
    with started(command, place / "datasette.log") as origin:
        yield Site(origin, expected)
