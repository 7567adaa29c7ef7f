"""The rows of the tables, by the names that `make bench ROWS=...` takes.

row.py       what a row says
speed.py     documents per processor second and per second
fleet.py     many crawls, two processes, how soon a crawl begins
memory.py    of a worker, and in Redis
imports.py   `import pagefleet`
choices.py   what each choice is worth
"""

from collections.abc import Callable, Iterable

from benchmarks.bench import Bench
from benchmarks.rows import choices, fleet, imports, memory, speed
from benchmarks.rows.row import Row

ROWS: dict[str, Callable[[Bench], Iterable[Row]]] = {
    "cpu": speed.cpu,
    "wall": speed.wall,
    "crawls": fleet.crawls,
    "processes": fleet.processes,
    "latency": fleet.latency,
    "memory": memory.worker,
    "stored": memory.stored,
    "imports": imports.imports,
    "sizes": speed.sizes,
    "choices": choices.choices,
}
