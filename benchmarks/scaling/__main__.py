"""`python -m benchmarks.scaling`, which is `make bench-scaling`: measures, simulates, and prints all tables.

All parts together are also written to `docs/scaling.md` and `docs/scaling.svg`.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks import report, servers
from benchmarks.machine import Load, described
from benchmarks.scaling import clustered, curves, limits, scenarios
from benchmarks.scaling.costs import commits, crowded, listed, measured, polls
from benchmarks.scaling.memory import memory
from benchmarks.scaling.model import Costs
from benchmarks.scaling.real import compared

PAGE = servers.ROOT / "docs" / "scaling.md"


@dataclass
class Bench:
    """One run: a Redis, and how many seconds each run at full load takes."""

    place: Path
    url: str
    run: float

    @cached_property
    def costs(self) -> Costs:
        """Measured once."""
        return measured(self.url)

    @cached_property
    def polls(self) -> Mapping[int, float]:
        """Measured once."""
        return polls(self.url)

    def _simulated(self) -> str:
        fleets = (scenarios.GROWING, scenarios.TURNED, scenarios.CHANGED)
        tables = [scenarios.fleets(group, self.costs, self.polls) for group in fleets]
        return "\n\n".join([scenarios.idle(self.costs, self.polls), *tables])

    def parts(self) -> dict[str, Callable[[], str]]:
        """By the names of their places in the page."""
        return {
            "memory": lambda: memory(self.url),
            "commits": lambda: commits(self.url),
            "operations": lambda: f"{listed(self.costs)}\n\n{crowded(self.polls)}",
            "limits": lambda: limits.one_redis(self.url, self.run),
            "two": lambda: limits.two_redises(self.place, self.run),
            "cluster": lambda: clustered.everything(self.place, self.run),
            "real": lambda: compared(self.place, self.url, self.costs, 10 * self.run),
            "simulation": self._simulated,
        }

    def draw(self) -> None:
        """The plot."""
        used, slow = scenarios.curves(self.costs, self.polls)
        marks = [0, 2, 4, 6, 8, 10, 12]
        plots = [
            curves.Plot("Share of Redis' core", used, 1.0, [0, 0.25, 0.5, 0.75, 1], lambda mark: f"{mark:.0%}"),
            curves.Plot("Seconds from kill -9 to the next page, worst", slow, 12.0, marks, lambda mark: f"{mark:g}"),
        ]
        curves.draw(PAGE.with_suffix(".svg"), plots, (100, 300, 1000, 3000, 10_000))


def options() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="make bench-scaling")
    names = list(Bench(Path(), "", 0).parts())
    parser.add_argument("--parts", default=",".join(names), help=f"some of {', '.join(names)}")
    parser.add_argument("--run", type=float, default=2.0, help="seconds of each run at full load")
    said = parser.parse_args()
    said.parts = said.parts.split(",")
    if unknown := set(said.parts) - set(names):
        parser.error(f"there are no parts {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    said.is_whole = set(said.parts) == set(names)
    return said


def main() -> int:
    """0: all was measured, whatever it is."""
    said, load = options(), Load()
    print(described(), file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="pagefleet-scaling-") as folder:
        place = Path(folder)
        with servers.redis(place) as url:
            bench = Bench(place, url, said.run)
            texts: dict[str, str] = {}
            for name in said.parts:
                texts[name] = bench.parts()[name]()
                print(f"## {name}\n\n{texts[name]}\n", flush=True)
            if said.is_whole:
                bench.draw()
    noise = load.described()
    print(noise)
    if said.is_whole:
        report.write("conditions", f"{report.conditions(f'make bench-scaling RUN={said.run:g}')} {noise}", PAGE)
        for name, text in texts.items():
            report.write(name, f"\n{text}\n", PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
