"""What strikes when: made from a seed alone, before anything runs."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Blow:
    """One fault: `at` seconds after the storm began, or as soon as the one before it is over. `which` picks among
    those that it may hit, `where` is a share between 0 and 1, `seconds` how long it lasts."""

    at: float
    what: str
    which: int
    where: float
    seconds: float


PROCESSES = {
    "SIGKILL worker": 7,
    "SIGSTOP worker": 2,
    "SIGTERM worker": 2,
    "SIGKILL scheduler": 0.7,
    "SIGSTOP scheduler": 0.4,
    "SIGTERM scheduler": 0.4,
}
ANY_REDIS = {"SIGKILL": 0.5, "freeze": 0.5, "SCRIPT FLUSH": 0.7, "CLIENT KILL TYPE normal": 0.5}
SINGLE = {**ANY_REDIS, "power loss": 7, "blackout": 1, "BGREWRITEAOF": 0.7}
PAIR = {**ANY_REDIS, "failover": 4, "split brain": 4}


def schedule(seed: str, seconds: float, odds: Mapping[str, float], pause: tuple[float, float]) -> Sequence[Blow]:
    """Blows with a pause between each two; the same ones for the same arguments."""
    chance = random.Random(seed)
    blows, at = list[Blow](), 0.0
    while (at := at + chance.uniform(*pause)) < seconds:
        (what,) = chance.choices(list(odds), list(odds.values()))
        blows.append(Blow(at, what, chance.randrange(1000), chance.random(), chance.uniform(0.2, 1.8)))
    return blows
