"""`python -m benchmarks`, which is `make bench`: measures rows of the tables, and prints them.

All rows together are also written to `docs/performance.md` and `docs/performance.svg`.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import plot, report, servers
from benchmarks.bench import SUBJECTS, Bench
from benchmarks.machine import Load, described
from benchmarks.profile import profiled
from benchmarks.rounds import per_cpu_second
from benchmarks.rows import ROWS
from benchmarks.rows.row import Row
from benchmarks.subjects import LIBRARY, PRODUCT

PROFILE = "profile"


def options() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="make bench")
    names = [*ROWS, PROFILE]
    parser.add_argument("--rows", default=",".join(names), help=f"some of {', '.join(names)}")
    parser.add_argument("--rounds", type=int, default=5)
    said = parser.parse_args()
    said.rows = said.rows.split(",")
    if unknown := set(said.rows) - set(names):
        parser.error(f"there are no rows {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    said.is_whole = set(said.rows) == set(names)
    return said


def main() -> int:
    """0: all was measured, whatever it is."""
    said, load = options(), Load()
    print(described(), file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="pagefleet-bench-") as folder:
        place = Path(folder)
        with servers.static(place) as origin, servers.redis(place) as redis_url:
            bench = Bench(place, origin, redis_url, said.rounds)
            text = measured(bench, said.rows)
    noise = load.described()
    print(text, noise, sep="\n")
    if said.is_whole:
        report.write("bench", f"{report.conditions(f'make bench ROUNDS={said.rounds}')} {noise}\n\n{text}")
        draw(bench)
    return 0


def measured(bench: Bench, names: list[str]) -> str:
    """The tables."""
    rows: list[Row] = []
    for name in names:
        started = time.monotonic()
        rows += ROWS[name](bench) if name != PROFILE else ()
        print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    text = report.rows(rows)
    if "k1" in bench.known:
        text += "\n" + report.figures(bench.known["k1"], SUBJECTS, 100)
    if PROFILE in names:
        text += "\n" + report.parts(profiled(bench), bench.series("k1"))
    return text


def draw(bench: Bench) -> None:
    """The plot."""
    figures = [(subject.name, bench.series("k1").median(subject, per_cpu_second)) for subject in SUBJECTS]
    title = "Documents per CPU second, pages of 100 x 1 KB"
    plot.draw(report.PAGE.with_suffix(".svg"), title, figures, [PRODUCT.name, LIBRARY.name])


if __name__ == "__main__":
    sys.exit(main())
