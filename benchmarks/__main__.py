"""`python -m benchmarks`, which is `make bench`: measures rows of the table, and prints it."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import servers
from benchmarks.bench import Bench
from benchmarks.machine import described
from benchmarks.rows import ROWS


def main() -> int:
    """0: all was measured, whatever it is."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--rows", default=",".join(ROWS), help=f"some of {', '.join(ROWS)}")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    names = options.rows.split(",")
    if unknown := set(names) - set(ROWS):
        parser.error(f"there are no rows {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    started = time.monotonic()
    print(described(), file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="pagefleet-bench-") as folder:
        place = Path(folder)
        with servers.static(place) as origin, servers.redis(place) as redis_url:
            bench = Bench(place, origin, redis_url, options.rounds)
            rows = [row for name in names for row in ROWS[name](bench)]
    for row in rows:
        print("| " + " | ".join(row.cells()) + " |")
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
