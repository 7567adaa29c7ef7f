"""All subjects in turns, in another order each round, and what they are to each other.

The machine is shared and its speed changes: only what ran within the same minute is compared. A ratio is the median of
the ratios of the rounds.
"""

import random
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.outcome import Outcome
from benchmarks.pages import COLLECTIONS, Place
from benchmarks.servers import LAST
from benchmarks.subjects import Subject, run

Figure = Callable[[Outcome], float]


def per_cpu_second(outcome: Outcome) -> float:
    """Documents."""
    return outcome.documents / outcome.cpu


def per_wall_second(outcome: Outcome) -> float:
    """Documents."""
    return outcome.documents / outcome.wall


@dataclass(frozen=True)
class Series:
    """Outcomes by subject, one a round."""

    outcomes: Mapping[str, Sequence[Outcome]]

    def median(self, subject: Subject, figure: Figure) -> float:
        """Of all rounds."""
        return statistics.median(map(figure, self.outcomes[subject.name]))

    def ratio(self, subject: Subject, other: Subject, figure: Figure) -> float:
        """Median of the rounds' ratios."""
        pairs = zip(self.outcomes[subject.name], self.outcomes[other.name], strict=True)
        return statistics.median(figure(one) / figure(another) for one, another in pairs)


def rounds(subjects: Sequence[Subject], origin: str, first: Place, redis_url: str, count: int, warm: int = 1) -> Series:
    """So many rounds, and some before that warm everything up."""
    outcomes: dict[str, list[Outcome]] = {subject.name: [] for subject in subjects}
    for number in range(1 - warm, count + 1):
        for subject in random.sample(subjects, len(subjects)):
            outcome = run(subject, origin, first, redis_url)
            milliseconds = outcome.cpu / outcome.documents * first.collection.count * 1000
            said = f"{milliseconds:8.3f} ms of CPU a page {per_wall_second(outcome):9.0f} documents/s"
            print(f"  {number}/{count} {first.collection.name:6} {subject.name:40} {said}", file=sys.stderr)
            if number:
                outcomes[subject.name].append(outcome)
    return Series(outcomes)


def whole(collection: str) -> Place:
    """All pages of a collection that there is a file for."""
    return Place(COLLECTIONS[collection], LAST[collection], 1)
