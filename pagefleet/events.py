"""What has moved a slice: one event for each change of its state."""

import heapq
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from pagefleet.states import State

KEPT = 200
"""Events of a slice, the last ones (EVENTS in prelude.lua)."""


@dataclass(frozen=True, slots=True)
class Event:
    """One change of a slice's state, or of who may lease it next (a rescue of a lost job: from queued to queued)."""

    slice: str
    """The slice's number."""
    number: int
    """Counts the slice's events, from 1."""
    at: float
    """Redis' time, in seconds since 1970. It may go back from one event to the next, as Redis' clock may."""
    who: str
    """`person`, `scheduler`, or a worker's host and process id."""
    what: str
    """What happened, in the words of `states.TRANSITIONS`."""
    before: State | None
    """None: the slice came into being."""
    after: State
    why: str
    """Why a worker let go, whose lease ran out, what the slice had waited for; cut behind 500 bytes."""

    @classmethod
    def of(cls, slice_: str, stored: bytes) -> Self:
        """From how it stands in Redis."""
        told: dict[str, Any] = json.loads(stored.decode(errors="replace"))
        before = State(told["from"]) if "from" in told else None
        return cls(
            slice=slice_,
            number=told["number"],
            at=told["at"] / 1000,
            who=told["who"],
            what=told["what"],
            before=before,
            after=State(told["to"]),
            why=told["why"],
        )


def events(slice_: str, stored: Iterable[bytes], count: int) -> list[Event]:
    """Those of a slice that has had `count`, the oldest first; what a torn write left is none of them."""
    told = sorted((Event.of(slice_, one) for one in stored), key=lambda event: event.number)
    return [event for event in told if count - KEPT < event.number <= count]


def merged(slices: Iterable[list[Event]]) -> list[Event]:
    """Those of several slices by their times, and those of one in their order, whatever Redis' clock did."""
    return list(heapq.merge(*slices, key=lambda event: event.at))
