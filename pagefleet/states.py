"""The states of a slice, and every way between them; drawn in `docs/states.md`, and a test holds both to the code."""

from enum import StrEnum


class State(StrEnum):
    """Of a slice, and of a crawl (which is in the first of its slices' states that stands in this order)."""

    FAILED = "failed"
    CANCELLED = "cancelled"
    RUNNING = "running"
    QUEUED = "queued"
    SNOOZED = "snoozed"
    PAUSED = "paused"
    FINISHED = "finished"

    @property
    def is_over(self) -> bool:
        """Nothing happens any more unless somebody resumes it."""
        return self in (State.FINISHED, State.FAILED, State.CANCELLED)


def combined(states: list[State]) -> State:
    """The state of a crawl from those of its slices."""
    return min(states, key=list(State).index)


TRANSITIONS: dict[tuple[State | None, str], State] = {
    (None, "enqueue"): State.QUEUED,
    (State.QUEUED, "lease"): State.RUNNING,
    (State.RUNNING, "renew"): State.RUNNING,
    (State.RUNNING, "commit"): State.RUNNING,
    (State.RUNNING, "commit and yield"): State.QUEUED,
    (State.RUNNING, "commit the last page"): State.FINISHED,
    (State.RUNNING, "split"): State.FINISHED,
    (State.RUNNING, "release"): State.QUEUED,
    (State.RUNNING, "release to snooze"): State.SNOOZED,
    (State.RUNNING, "release as failed"): State.FAILED,
    (State.QUEUED, "rescue a lost job"): State.QUEUED,
    (State.QUEUED, "rescue again"): State.SNOOZED,
    (State.QUEUED, "rescue once too often"): State.FAILED,
    (State.RUNNING, "rescue when the lease ran out"): State.QUEUED,
    (State.RUNNING, "rescue again"): State.SNOOZED,
    (State.RUNNING, "rescue once too often"): State.FAILED,
    (State.SNOOZED, "rescue when due"): State.QUEUED,
    (State.QUEUED, "pause"): State.PAUSED,
    (State.RUNNING, "pause"): State.PAUSED,
    (State.SNOOZED, "pause"): State.PAUSED,
    (State.PAUSED, "resume"): State.QUEUED,
    (State.FAILED, "resume"): State.QUEUED,
    (State.FINISHED, "replay"): State.QUEUED,
    (State.QUEUED, "cancel"): State.CANCELLED,
    (State.RUNNING, "cancel"): State.CANCELLED,
    (State.SNOOZED, "cancel"): State.CANCELLED,
    (State.PAUSED, "cancel"): State.CANCELLED,
    (State.FAILED, "cancel"): State.CANCELLED,
}
"""(state, what happens) -> the state after. What is not here changes no state."""
