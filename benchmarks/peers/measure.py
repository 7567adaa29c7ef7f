"""What the programs beside this one share. They run in the peers' environments: nothing here needs more than Python.

A program crawls some pages before it is measured, so that what is imported or looked up at the first crawl is not held
against it. Documents are counted where they have arrived, when the clock has been stopped.
"""

import os
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.outcome import Outcome
from benchmarks.pages import Place

WARM = 10
"""Pages; as many as a worker of ours crawls before it is measured."""


def warm(url: str) -> str:
    """The page from which the last ones of its collection are crawled first."""
    place = Place.of(url)
    origin = url.removesuffix(place.collection.path(place.page, place.last))
    return origin + place.collection.path(max(1, place.last - WARM + 1), place.last)


def report(took: Outcome, documents: int) -> None:
    """The program's last word: what a meter said, and how many documents have been counted since."""
    replace(took, documents=documents).print()


def lines(paths: Iterable[Path], start: bytes = b"") -> int:
    """How many lines of these files start so."""
    total = 0
    for path in paths:
        with path.open("rb") as opened:
            total += sum(line.startswith(start) for line in opened)
    return total


@contextmanager
def stdout(path: Path) -> Generator[None]:
    """What is printed in this block goes to a file, as by a shell's `>`."""
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        with path.open("wb") as opened:
            os.dup2(opened.fileno(), 1)
        yield
        sys.stdout.flush()
    finally:
        os.dup2(kept, 1)
        os.close(kept)
