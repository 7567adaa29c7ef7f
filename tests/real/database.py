"""The SQLite database behind several servers, and what stands in it."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.real.records import SIZES, nested, records

COLUMNS = "id integer primary key, name text not null, big integer not null, score real not null, note text"


def write_tables(database: Path) -> None:
    """A table for each collection."""
    with closing(sqlite3.connect(database)) as connection, connection:
        for table in SIZES:
            connection.execute(f"create table {table} ({COLUMNS})")
            connection.executemany(
                f"insert into {table} values (:id, :name, :big, :score, :note)",  # noqa: S608 — a name of ours
                records(table),
            )


def write_shelves(database: Path) -> None:
    """One table of all collections, each on its shelf, with ids that are not the numbers."""
    things = [(shelf, record, nested(record["id"])) for shelf in SIZES for record in records(shelf)]
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(f"create table thing ({COLUMNS}, shelf text not null, nested text not null)")
        connection.executemany(
            "insert into thing values (:id, :name, :big, :score, :note, :shelf, :nested)",
            [
                {**record, "id": 1000 + 7 * row, "shelf": shelf, "nested": json.dumps(said)}
                for row, (shelf, record, said) in enumerate(things)
            ],
        )


def rows(database: Path, query: str, *values: str) -> list[dict[str, Any]]:
    """What a query finds, as the server would."""
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(query, values)]


def on_shelf(database: Path, shelf: str) -> list[dict[str, Any]]:
    """The things of a collection, in the order of their ids."""
    found = rows(database, "select * from thing where shelf = ? order by id", shelf)
    return [{**row, "nested": json.loads(row["nested"])} for row in found]
