"""Django over one table: REST framework, JSON:API, GraphQL."""

import base64
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.real.database import on_shelf, write_shelves
from tests.real.process import Site, started


@contextmanager
def django(place: Path) -> Generator[Site]:
    """The collections are shelves."""
    database = place / "shelves.db"
    write_shelves(database)
    documents = {"django-jsonapi": _resource, "django-graphql": _node}

    def expected(crawl: str, collection: str) -> list[Any]:
        made = documents.get(crawl, dict)
        return [made(row) for row in on_shelf(database, collection)]

    command = [sys.executable, "-m", "tests.real.programs.django_app", str(database)]
    with started(command, place / "django.log") as origin:
        yield Site(origin, expected)


def _resource(row: dict[str, Any]) -> dict[str, Any]:
    attributes = {name: value for name, value in row.items() if name != "id"}
    return {"type": "things", "id": str(row["id"]), "attributes": attributes}


def _node(row: dict[str, Any]) -> dict[str, Any]:
    shown = {name: row[name] for name in ("name", "score", "note", "nested")}
    return {"id": base64.b64encode(f"Thing:{row['id']}".encode()).decode(), **shown}
