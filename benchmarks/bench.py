"""One run of the benchmarks: its servers, and the series that several rows look at."""

from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.rounds import Series, rounds, whole
from benchmarks.subjects import FLOOR, LIBRARY, NAIVE, PIPELINE, PRODUCT

SUBJECTS = (FLOOR, PRODUCT, LIBRARY, PIPELINE, NAIVE)


@dataclass
class Bench:
    """`origin` serves the collections as files."""

    place: Path
    origin: str
    redis_url: str
    rounds: int
    known: dict[str, Series] = field(default_factory=dict[str, Series])

    def series(self, collection: str) -> Series:
        """All subjects on one collection, measured once; only that of k1 takes all rounds."""
        if collection not in self.known:
            count = self.rounds if collection == "k1" else max(1, self.rounds // 2)
            self.known[collection] = rounds(SUBJECTS, self.origin, whole(collection), self.redis_url, count)
        return self.known[collection]
