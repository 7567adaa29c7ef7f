"""What becomes of commands on their way to Redis, by chance: replies and requests lost, late, or repeated."""

import hashlib
import random
from collections import Counter
from collections.abc import Mapping

from pagefleet.scripts import source
from tests.proxy import Fault, Kind

NAMES = ("enqueue", "lease", "commit", "renew", "release", "rescue", "steer", "acknowledge", "token", "block")
SCRIPTS = {hashlib.sha1(source(name).encode(), usedforsecurity=False).hexdigest().encode(): name for name in NAMES}
ODDS = {Kind.LOSE_REPLY: 0.03, Kind.SWALLOW: 0.015, Kind.HOLD: 0.015, Kind.HOLD_REPLY: 0.015, Kind.REPEAT: 0.03}
"""For each script that is run."""
OTHERS = {Kind.LOSE_REPLY: 0.002, Kind.SWALLOW: 0.002}
"""For each other command: most are arq's."""
WORDS = {
    Kind.LOSE_REPLY: "lost replies",
    Kind.SWALLOW: "lost requests",
    Kind.HOLD: "late requests",
    Kind.HOLD_REPLY: "late replies",
    Kind.REPEAT: "repeated requests",
}


class Weather:
    """Bad from the start; `clear` ends it. Counts what Redis really answered, by the script's name."""

    def __init__(self, seed: str, tally: Counter[str]) -> None:
        self._chance = random.Random(seed)
        self._tally = tally
        self._is_clear = False

    def clear(self) -> None:
        """From now on everything arrives, once."""
        self._is_clear = True

    def __call__(self, command: bytes) -> Fault | None:
        name = script(command)
        kind = self._kind(ODDS if name else OTHERS)
        if kind is None:
            return None
        what = "commits" if name == "commit" else "other scripts" if name else "other commands"
        return Counted(kind, self._chance.uniform(0.05, 1.6), self._tally, f"{WORDS[kind]} of {what}")

    def _kind(self, odds: Mapping[Kind, float]) -> Kind | None:
        if self._is_clear:
            return None
        kinds: list[Kind | None] = [*odds, None]
        return self._chance.choices(kinds, [*odds.values(), 1 - sum(odds.values())])[0]


class Counted(Fault):
    """Strikes the one command that it was made for, and is counted when that was executed (or swallowed)."""

    def __init__(self, kind: Kind, delay: float, tally: Counter[str], what: str) -> None:
        super().__init__(kind, b"", delay)
        self._tally = tally
        self._what = what

    def answered(self, reply: bytes) -> None:
        super().answered(reply)
        is_told = self.kind is Kind.SWALLOW or (reply and not reply.startswith(b"-"))
        self._tally[self._what] += bool(is_told)


def script(command: bytes) -> str:
    """The name of the script that this runs; empty for another command."""
    words = command.split(b"\r\n", 6)
    return SCRIPTS.get(words[4], "") if len(words) > 4 and words[2].upper() == b"EVALSHA" else ""
