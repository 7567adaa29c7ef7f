"""An OAI-PMH repository over one table."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.real.database import on_shelf, write_shelves
from tests.real.process import Site, started


@contextmanager
def oai(place: Path) -> Generator[Site]:
    """At `/oai`; the collections are sets."""
    database = place / "shelves.db"
    write_shelves(database)

    def expected(crawl: str, collection: str) -> list[Any]:
        made = _header if crawl == "oai-identifiers" else _record
        return [made(row) for row in on_shelf(database, collection)]

    with started([sys.executable, "-m", "tests.real.programs.oai_app", str(database)], place / "oai.log") as origin:
        yield Site(origin, expected)


def _header(row: dict[str, Any]) -> dict[str, Any]:
    moment = datetime.fromtimestamp(1577836800 + row["id"], UTC)
    return {
        "identifier": [f"oai:things:{row['id']}"],
        "datestamp": [moment.strftime("%Y-%m-%dT%H:%M:%SZ")],
        "setSpec": [row["shelf"]],
    }


def _record(row: dict[str, Any]) -> dict[str, Any]:
    shown = {"dc:title": [row["name"]], "dc:identifier": [str(row["big"])]}
    if row["note"] is not None:
        shown["dc:description"] = [row["note"]]
    return {"header": [_header(row)], "metadata": [{"oai_dc:dc": [shown]}]}
