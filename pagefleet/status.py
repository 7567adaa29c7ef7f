"""A crawl at one moment, from the rows of its slices as they are in Redis. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from pagefleet.errors import CrawlCancelled, CrawlFailed
from pagefleet.keys import WHOLE
from pagefleet.page import BEFORE_ALL, Cursor
from pagefleet.slices import Bounds, ByRange, PageRange, Slices
from pagefleet.states import State, combined
from pagefleet.verdict import Finding, Signals, Verdict, judge, together


@dataclass(frozen=True, slots=True)
class Status:
    """A crawl at one moment. Times are Redis' own, in seconds since 1970; None: not yet."""

    id: str
    state: State
    documents: int
    pages: int
    bytes: int
    backlog: int
    """Documents in the results stream."""
    trimmed: str
    """Id of the last document that was dropped because everybody had read it; 0-0: none was. Of a crawl in slices one
    for each that lacks some, with blanks between."""
    quarantined: int
    """Documents that could not be had; `Handle.quarantine` tells why."""
    total: int | None
    """As the source last declared it."""
    cursor: Cursor
    worker: str
    """Who holds the lease; empty: nobody. Of a crawl in slices all who do."""
    leases: int
    rescued: int
    reason: str
    """Why it snoozes."""
    fault: str
    """Why the worker that holds the lease tries a page again; told at each renewal."""
    error: str
    """Why it failed."""
    notice: str
    """What happened on the way that its readers should know of: a cursor died, and how it went on."""
    enqueued: float
    committed: float | None
    finished: float | None
    until: float | None
    """When the lease or the snooze ends."""
    verdict: Verdict | None
    """Of a finished crawl."""
    slices: int = 1
    slices_over: int = 0

    @property
    def is_over(self) -> bool:
        """Nothing happens any more unless somebody resumes it. One slice may have failed while others go on."""
        return self.slices_over == self.slices

    def check_success(self) -> None:
        """Raise `CrawlFailed` if it failed or was cancelled."""
        if self.state is State.CANCELLED:
            raise CrawlCancelled(f"crawl {self.id} was cancelled behind {self.documents:,} documents, for good")
        if self.state is State.FAILED:
            raise CrawlFailed(f"crawl {self.id} failed behind {self.documents} documents: {self.error}")


@dataclass(frozen=True, slots=True)
class Found:
    """What is in Redis of one slice: its row, and how long its stream and its quarantine are."""

    row: Mapping[str, str]
    backlog: int
    quarantined: int

    @property
    def children(self) -> int:
        """0: it is not split."""
        return int(self.row.get("split", 0))

    @property
    def total(self) -> int | None:
        return int(self.row["total"]) if self.row.get("total") else None

    @property
    def signals(self) -> Signals:
        return Signals(int(self.row["documents"]), self.total, self.row.get("doubts", ""))


def status(name: str, found: Found) -> Status:
    """Of one slice, which may be all there is."""
    row, state = found.row, combined([State(found.row["state"])])
    return Status(
        id=name,
        state=state,
        documents=int(row["documents"]),
        pages=int(row["pages"]),
        bytes=int(row["bytes"]),
        backlog=found.backlog,
        quarantined=found.quarantined,
        trimmed=row.get("trimmed", BEFORE_ALL),
        total=found.total,
        cursor=json.loads(row["cursor"]),
        worker=row.get("worker", ""),
        leases=int(row["leases"]),
        rescued=int(row.get("rescued", 0)),
        reason=row.get("reason", "") if state is State.SNOOZED else "",
        fault=row.get("fault", "") if state is State.RUNNING else "",
        error=row.get("error", ""),
        notice=row.get("notice", ""),
        enqueued=int(row["enqueued"]) / 1000,
        committed=_seconds(row, "committed"),
        finished=_seconds(row, "finished"),
        until=_seconds(row, "until"),
        verdict=judge(found.signals) if state is State.FINISHED else None,
        slices_over=int(state.is_over),
    )


def _seconds(row: Mapping[str, str], field: str) -> float | None:
    return int(row[field]) / 1000 if int(row.get(field, 0)) else None


class Tree:
    """The slices of a crawl that has been split, by their numbers."""

    def __init__(self, crawl_id: str, slices: Slices, cap: int | None, found: Mapping[str, Found]) -> None:
        self._id, self._slices = crawl_id, slices
        self._found: dict[str, Found] = {}
        ahead = [WHOLE]
        while ahead:  # not all that is there: what a torn split left belongs to nothing if another came in its place
            number = ahead.pop()
            if number in found:
                self._found[number] = found[number]
                ahead += self.children(number)
        most = slices.most if isinstance(slices, ByRange) else None
        self._caps = {most or cap, cap} - {None}
        self.leaves = [number for number in sorted(self._found, key=order) if not self._found[number].children]
        """Those that are not split: all that is delivered is of them."""

    def children(self, number: str) -> list[str]:
        return [f"{number}.{n}" for n in range(self._found[number].children)]

    def title(self, number: str) -> str:
        """Which part it is, for people."""
        return self._slices.title(self._bounds(number))

    def part(self, number: str) -> Status:
        """Of one slice; a range of pages has its own part of the total that is declared to it."""
        found, pages = self._found[number], self._pages(number)
        part = status(f"{self._id}:{number}", found)
        if pages is None or part.total is None:
            return part
        behind = part.total if pages.last else min(part.total, pages.behind * pages.of)
        return replace(part, total=max(0, behind - pages.first * pages.of))

    def _bounds(self, number: str) -> Bounds:
        bounds = self._found[number].row.get("bounds")
        return json.loads(bounds) if bounds else self._slices.whole()

    def _pages(self, number: str) -> PageRange | None:
        return self._slices.span(self._bounds(number))

    def status(self) -> Status:
        """Of the whole crawl."""
        parts = {number: status(self._id, self._found[number]) for number in self.leaves}
        every = list(parts.values())
        state = combined([part.state for part in every])
        whole = status(self._id, self._found[WHOLE])
        failed = [f"slice {number}: {part.error}" for number, part in parts.items() if part.state is State.FAILED]
        trimmed = [f"{number}:{part.trimmed}" for number, part in parts.items() if part.trimmed != BEFORE_ALL]
        return replace(
            whole,
            state=state,
            documents=sum(part.documents for part in every),
            pages=sum(part.pages for part in every),
            bytes=sum(part.bytes for part in every),
            backlog=sum(part.backlog for part in every),
            quarantined=sum(part.quarantined for part in every),
            trimmed=" ".join(trimmed) or BEFORE_ALL,
            total=self._total(WHOLE),
            cursor=None,
            worker=", ".join(sorted({part.worker for part in every if part.worker})),
            leases=sum(part.leases for part in every),
            rescued=sum(part.rescued for part in every),
            reason=next((part.reason for part in every if part.reason), "") if state is State.SNOOZED else "",
            fault=next((part.fault for part in every if part.fault), ""),
            error="; ".join(failed[:1]) + (f" (and {len(failed) - 1} more)" if failed[1:] else ""),
            notice=next((part.notice for part in every if part.notice), ""),
            committed=max((part.committed for part in every if part.committed), default=None),
            finished=max((part.finished or 0 for part in every), default=None) if state.is_over else None,
            until=min((part.until for part in every if part.until), default=None),
            verdict=self._verdict() if state is State.FINISHED else None,
            slices=len(every),
            slices_over=sum(part.state.is_over for part in every),
        )

    def _total(self, number: str) -> int | None:
        """What the parts declare counts, where each has a total of its own: an API may not count beyond its cap."""
        found = self._found[number]
        there = [child for child in self.children(number) if child in self._found]
        if not there or self._pages(there[0]):
            return found.total
        totals = [self._total(child) if child in self._found else None for child in self.children(number)]
        known = [total for total in totals if total is not None]
        return sum(known) if len(known) == len(totals) else found.total

    def _documents(self, number: str) -> int:
        if not self._found[number].children:
            return int(self._found[number].row["documents"])
        return sum(self._documents(child) for child in self.children(number) if child in self._found)

    def _verdict(self) -> Verdict:
        """Each slice's own, and whether those that were split are the sum of their parts."""
        every = [(number, judge(self._signals(number))) for number in sorted(self._found, key=order)]
        told = [(f"slice {number} ({self.title(number)})", verdict) for number, verdict in every if verdict.reasons]
        return together([*told, *self._twins()])

    def _twins(self) -> Iterator[tuple[str, Verdict]]:
        """Slices that hold the same page: a source may not heed what sets them apart."""
        seen: dict[str, str] = {}
        for number in self.leaves:
            _, _, page = self._found[number].row.get("landmark", "").rpartition(" ")  # a cursor, and a page's digest
            if page and (twin := seen.setdefault(page, number)) != number:
                said = f"a page of it is one of slice {twin} ({self.title(twin)}), too; does the source heed slices?"
                yield f"slice {number} ({self.title(number)})", Verdict(Finding.SUSPECT, (("overlap", said),))

    def _signals(self, number: str) -> Signals:
        found = self._found[number]
        signals = found.signals
        if found.children:
            documents, total = self._documents(number), found.total
            is_capped = total in self._caps and documents > (total or 0)  # it counts no further, and there were more
            return Signals(documents, None if is_capped else total)
        if self._pages(number):
            return replace(signals, total=None)  # it is that of all pages
        is_full = isinstance(self._slices, ByRange) and signals.documents in self._caps
        return replace(signals, doubts=f"{signals.doubts} at-cap") if is_full else signals


def order(number: str) -> list[int]:
    """Slices in the order of the source."""
    return [int(part) for part in number.split(".")]
