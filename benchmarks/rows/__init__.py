"""The rows of the table, by the names that `make bench ROWS=...` takes.

row.py      what a row says
speed.py    documents per processor second and per second
"""

from collections.abc import Callable, Iterable

from benchmarks.bench import Bench
from benchmarks.rows import speed
from benchmarks.rows.row import Row

ROWS: dict[str, Callable[[Bench], Iterable[Row]]] = {
    "cpu": speed.cpu,
    "wall": speed.wall,
    "sizes": speed.sizes,
}
