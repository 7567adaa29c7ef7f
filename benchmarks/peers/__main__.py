"""`python -m benchmarks.peers`, which is `make bench-peers`: ours, a floor, naive loops and all peers in turns.

The tables are printed, and written to `docs/performance.md`.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import report, servers
from benchmarks.bench import SUBJECTS
from benchmarks.machine import Load
from benchmarks.peers import PEERS, QUIET, Peer
from benchmarks.rounds import Series, per_cpu_second, per_wall_second, rounds, whole
from benchmarks.rows.row import Row
from benchmarks.subjects import LIBRARY, NAIVE, PIPELINE, PRODUCT, Subject


def subject(peer: Peer) -> Subject:
    """It looks the same to who runs it."""
    return Subject(peer.title, peer.command, QUIET, peer.share, peer.results)


THEIRS = {peer: subject(peer) for peer in PEERS}
ALL = (*SUBJECTS, *THEIRS.values())


def rows(series: Series) -> Iterator[Row]:
    """Ours against each."""
    yield row(series, PRODUCT, NAIVE, 15)
    yield row(series, PRODUCT, PIPELINE, 5)
    for peer, other in THEIRS.items():
        yield row(series, LIBRARY if peer.is_library else PRODUCT, other, peer.target)


def row(series: Series, ours: Subject, other: Subject, target: float) -> Row:
    """Documents per CPU second; the note says those per second."""
    said = "documents(source)" if ours is LIBRARY else "Pagefleet"
    ratio = series.ratio(ours, other, per_cpu_second)
    wall = f"{series.ratio(ours, other, per_wall_second):.1f} x"
    return Row(f"{said}, against {other.name}", target, ratio, note=wall)


def versions() -> str:
    """What is installed of each peer."""
    pinned = (line for path in sorted(Path(__file__).parent.glob("*.txt")) for line in path.read_text().split())
    return ", ".join(line.replace("==", " ") for line in dict.fromkeys(pinned))


def main() -> int:
    """0: all was measured, whatever it is."""
    parser = argparse.ArgumentParser(prog="make bench-peers")
    parser.add_argument("--rounds", type=int, default=5)
    count = parser.parse_args().rounds
    load = Load()
    with tempfile.TemporaryDirectory(prefix="pagefleet-bench-") as folder:
        place = Path(folder)
        with servers.static(place) as origin, servers.redis(place) as redis_url:
            series = rounds(ALL, origin, whole("k1"), redis_url, count, warm=0)
    noise = load.described()
    heads = "documents per CPU second", "target", "measured", "met", "per second"
    text = report.table(heads, (each.cells() for each in rows(series))) + "\n\n" + report.figures(series, ALL, 100)
    print(text, noise, sep="\n")
    told = f"{report.conditions(f'make bench-peers ROUNDS={count}')} {noise}\n{versions()}."
    report.write("bench-peers", f"{told}\n\n{text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
