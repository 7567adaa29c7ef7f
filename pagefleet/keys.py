"""Every Redis key is made here. `{id:n}` is a hash tag: all that belongs to one slice lives in one slot.

What is *kept* stays until its crawl is deleted, or another of the name is enqueued where it was left behind.
"""

from dataclasses import dataclass
from functools import lru_cache

CRAWLS = "pagefleet:crawls"
"""zset: crawl id -> when it was enqueued, ms. Written by enqueue, read by `Fleet.crawls`; kept."""
DUE = "pagefleet:due"
"""zset: slice tag -> when the scheduler looks at it again, ms of Redis' clock. Holds every slice that is queued,
running or snoozed; written by the scripts of slices, read by schedulers."""
QUEUE = "pagefleet:queue"
"""zset, arq's in shape: job id -> when it may start, ms. Written by our scripts, read by arq's workers. Not arq's own
default: another application's workers would take our jobs, and ours theirs."""


WHOLE = "0"
"""The slice that is a whole crawl; the children of slice `0.3` are `0.3.0`, `0.3.1` and so on."""


@dataclass(frozen=True, slots=True)
class SliceKeys:
    """The keys of slice `number` of a crawl, and its `tag`, `<id>:<n>`, by which the scheduler and jobs know it."""

    crawl: str
    number: str = WHOLE

    @classmethod
    def of(cls, tag: str) -> "SliceKeys":
        """From a tag; crawl ids hold no colon."""
        crawl, _, number = tag.partition(":")
        return cls(crawl, number)

    @property
    def tag(self) -> str:
        return f"{self.crawl}:{self.number}"

    @property
    def slice(self) -> str:
        """hash: state, fence, checkpoint, counts. Written by the scripts alone, read by anybody; kept."""
        return f"pagefleet:slice:{{{self.tag}}}"

    @property
    def documents(self) -> str:
        """stream, `<page number>-<index>` -> d: the document, k: its key. Written by commit, read by consumers;
        what all have read is trimmed when room is needed."""
        return f"pagefleet:documents:{{{self.tag}}}"

    @property
    def ledger(self) -> str:
        """stream, capped, `<page number>-0` -> a row of facts a page. Written by commit, read by people."""
        return f"pagefleet:ledger:{{{self.tag}}}"

    @property
    def consumers(self) -> str:
        """hash: consumer -> id of the last document that it is done with, and a note of its own. Written by
        acknowledge, read by commit (to trim) and by consumers that go on."""
        return f"pagefleet:consumers:{{{self.tag}}}"

    @property
    def quarantine(self) -> str:
        """stream, `<page number>-0` -> cursor: what fetches the document that could not be had, reason: why. Written by
        commit, read by people, emptied into the slice's cursor by steer (replay)."""
        return f"pagefleet:quarantine:{{{self.tag}}}"

    @property
    def events(self) -> str:
        """hash, a ring of 200: number of an event modulo 200 -> who moved the slice from which state to which, when and
        why, as JSON. Written by the scripts that move it, read by `Handle.events`; kept. An event counts when the
        slice's own hash has its number."""
        return f"pagefleet:events:{{{self.tag}}}"

    def own(self) -> tuple[str, ...]:
        """Those of this slice alone."""
        return (self.slice, self.documents, self.ledger, self.consumers, self.quarantine, self.events)

    def all(self) -> tuple[str, ...]:
        """In the order in which every script of a slice takes them."""
        return _all(self)


@lru_cache(maxsize=1024)
def _all(of: SliceKeys) -> tuple[str, ...]:
    """Each commit names them."""
    return (*of.own(), DUE, QUEUE)


def crawl(crawl_id: str) -> str:
    """hash: description, fingerprint, when it was enqueued, incarnation. Written once, by enqueue;
    kept."""
    return f"pagefleet:crawl:{{{crawl_id}}}"


def slices(crawl_id: str) -> str:
    """hash: slice number -> its bounds, a JSON value; all slices of a crawl but 0, if it has been split. Written by
    split, read by whoever looks at a crawl as a whole; kept."""
    return f"pagefleet:slices:{{{crawl_id}}}"


def of_crawl(crawl_id: str) -> tuple[str, ...]:
    """What there is of a crawl beside its slices, in the order in which scripts take it."""
    return (crawl(crawl_id), CRAWLS, slices(crawl_id))


def budget(origin: str) -> str:
    """hash: when the next request may start, until when the source wants none, whether it is down and when it is asked
    again. Written by token, retry and block, lives as long as it says anything."""
    return f"pagefleet:budget:{{{origin}}}"
