"""What a program of a benchmark says at its end, as one line of JSON on its standard output."""

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.machine import peak_mebibytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """Documents that were delivered, and what they took: processor and wall seconds, and peak memory in MiB."""

    documents: int
    cpu: float
    wall: float
    rss: float
    more: Mapping[str, float] = field(default_factory=dict[str, float])
    """What only some rows ask for."""

    @classmethod
    def read(cls, line: str) -> "Outcome":
        """From the line that a program printed."""
        said: dict[str, Any] = json.loads(line)
        known = {name: said.pop(name) for name in ("documents", "cpu", "wall", "rss")}
        return cls(**known, more=said)

    def print(self) -> None:
        """The program's last word."""
        known = {"documents": self.documents, "cpu": self.cpu, "wall": self.wall, "rss": self.rss}
        print(json.dumps(known | dict(self.more)), flush=True)


class Meter:
    """Of this process, from now on. Imports and connections come before, as they do in a worker that is up."""

    def __init__(self) -> None:
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def stop(self, documents: int) -> Outcome:
        """What it took to deliver these."""
        cpu, wall = time.process_time() - self._cpu, time.perf_counter() - self._wall
        return Outcome(documents, cpu, wall, peak_mebibytes(os.getpid()))


def arguments() -> tuple[str, str]:
    """The URL of the first page, and the URL of Redis, or '' if there is none: the last two words of each program."""
    words = [word for word in sys.argv[1:] if "://" in word]
    return words[0], words[1] if len(words) > 1 else ""
