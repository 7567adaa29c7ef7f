"""`python -m tests.chaos`, which is `make chaos`: storms, one after another, and a table of what they did.

Each storm adds a line to a file, so that what was counted is there whenever this is stopped. `--long` goes on from
that file until the figures are reached.
"""

import argparse
import asyncio
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Coroutine, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.chaos.storm import Options, Outcome, weather_the_storm
from tests.redis.servers import at_hand

FIGURES = {
    "SIGKILLs of workers with a lease": 1_000,
    "power losses": 200,
    "failovers": 100,
    "lost replies": 1_000,
    "documents": 200_000,
}
"""What a long run goes on for; each is the sum of all counts that begin so."""
NEVER = ("lost", "duplicated", "out of order", "under another id", "with another's key")
LONG = 60.0
"""Seconds of one storm of a long run."""


def main() -> int:
    """0: all is well; 1: something is wrong, and said."""
    parser = argparse.ArgumentParser(prog="make chaos")
    parser.add_argument("--seed", default=str(random.randrange(10**6)))
    parser.add_argument("--seconds", type=float, default=0.0, help="of each storm; 30, or 60 in a long run")
    parser.add_argument("--long", action="store_true", help="until the figures of docs/reliability.md are reached")
    parser.add_argument("--minutes", type=float, default=60.0, help="a long run starts no storm behind these")
    parser.add_argument("--file", type=Path, help="where each storm's counts are added as a line")
    options = parser.parse_args()
    file = options.file or Path(tempfile.gettempdir(), f"pagefleet-chaos-{options.seed}.jsonl")
    seconds = options.seconds or (LONG if options.long else 30.0)
    rounds = long(options.seed, seconds, file, options.minutes) if options.long else short(options.seed, seconds)
    print(f"SEED={options.seed}; counts go to {file}", flush=True)
    faults = list[str]()
    try:
        for storm in rounds:
            faults += run(storm, file)
    except asyncio.CancelledError:
        faults.append("it was stopped before its end")
    table(total(file))
    for fault in faults:
        print(f"WRONG: {fault}")
    return 1 if faults else 0


def short(seed: str, seconds: float) -> Iterator[Options]:
    """One storm over each set-up."""
    for setup in ("single", "pair"):
        yield Options(f"{seed}-{setup}", setup, seconds)


def long(seed: str, seconds: float, file: Path, minutes: float) -> Iterator[Options]:
    """Power losses and failovers by turns, those of Redis 6.2 among them, until all figures are reached."""
    wheel = at_hand().get("wheel")
    until = time.monotonic() + 60 * minutes
    while time.monotonic() < until and (
        missing := [name for name in FIGURES if count(total(file), name) < FIGURES[name]]
    ):
        number = len(lines(file))
        setups = [setup for setup, what in (("single", "power losses"), ("pair", "failovers")) if what in missing]
        setup = (setups or ["single", "pair"])[number % (len(setups) or 2)]
        program = wheel if setup == "single" and number % 3 == 2 else None
        yield Options(f"{seed}-{number}", setup, seconds, workers=6, program=program, blows=(0.2, 0.7))


def run(storm: Options, file: Path) -> list[str]:
    """One storm, and its line in the file."""
    place = Path(tempfile.mkdtemp(prefix="pagefleet-chaos-"))
    started = time.monotonic()
    outcome = asyncio.run(until_told(weather_the_storm(place, storm)))
    took = round(time.monotonic() - started)
    with file.open("a") as out:
        line = {"options": asdict(storm), "took": took, "tally": outcome.tally, "faults": outcome.faults}
        out.write(json.dumps(line, default=str) + "\n")
    print(f"{storm.seed} {storm.setup}: {took} s, {said(outcome)}", flush=True)
    if outcome.faults:
        print(*outcome.faults, f"see {place}", sep="\n", flush=True)
    else:
        shutil.rmtree(place)
    return [f"{storm.seed}: {fault}" for fault in outcome.faults]


async def until_told(work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """SIGTERM leaves no process behind, as Ctrl-C does."""
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


def said(outcome: Outcome) -> str:
    """The figures of one storm."""
    return ", ".join(f"{count(outcome.tally, name)} {name}" for name in (*FIGURES, *NEVER[:3]))


def lines(file: Path) -> list[str]:
    """A line a storm."""
    return file.read_text().splitlines() if file.exists() else []


def total(file: Path) -> Counter[str]:
    """Of all storms so far."""
    tallies: Iterable[Counter[str]] = (Counter(json.loads(line)["tally"]) for line in lines(file))
    return sum(tallies, Counter[str]())


def count(tally: Counter[str], name: str) -> int:
    """All that begins so, less what struck an idle fleet; of what must never be, exactly that."""
    if name in NEVER:
        return tally[name]
    return sum(
        n for what, n in tally.items() if what.startswith(name) and not what.endswith((", idle", "without a loss"))
    )


def table(tally: Counter[str]) -> None:
    """Figures first, then all counts."""
    print()
    for name in (*FIGURES, *NEVER):
        print(f"{count(tally, name):>9,}  {name}")
    print()
    for name, number in sorted(tally.items()):
        print(f"{number:>9,}  {name}")


if __name__ == "__main__":
    sys.exit(main())
