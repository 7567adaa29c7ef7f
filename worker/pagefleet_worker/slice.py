"""A leased slice: it renews itself, commits pages, and knows when and why it must stop."""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from typing import Self

from msgspec.structs import replace

from pagefleet.decode import keys_of
from pagefleet.errors import Stop
from pagefleet.keys import SliceKeys
from pagefleet.page import Checkpoint, Page
from pagefleet.pages import Pages, Source
from pagefleet.paths import Names
from pagefleet.scripts import Ending, Lease, Part, Scripts, Split
from pagefleet.settings import Settings
from pagefleet.slices import Bounds
from pagefleet.tasks import ended
from pagefleet.watch import Digest
from pagefleet_worker.budget import FleetBudget

log = logging.getLogger("pagefleet.worker")

MOST_DOCUMENTS = 500
MOST_BYTES = 1024**2
"""Of one commit: Redis does nothing else meanwhile (measured: about 4 ms)."""
LAST_WORD = 1.0
"""Seconds that a draining worker waits for Redis' answer to a commit that is under way."""


class Halted(Exception):
    """The slice must not be advanced any further here. `reason` is one of

    drained     the worker is asked to stop: put the slice back for another
    unrenewed   Redis was away for most of a lease: put it back if that is possible
    conflict    Redis stands elsewhere than this worker believed (it forgot something): put it back, start afresh
    fenced      another worker has the slice by now, or it is gone: touch nothing
    full        the results stream is: snooze
    paused, cancelled
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Slice:
    """One slice in the hands of this worker. Made by `lease`; `checkpoint` is where it stands."""

    def __init__(self, scripts: Scripts, keys: SliceKeys, settings: Settings, worker: str, leased: Lease) -> None:
        self.keys = keys
        self.checkpoint = leased.checkpoint
        self.is_over = False
        """It is finished, or another's turn has come: nothing is left to do, and the lease has gone."""
        self.fault = ""
        """Why the next page is tried again; whoever looks at the crawl is told with the next renewal."""
        self.doubted: FleetBudget | None = None
        """Of the source that has not answered lately, and looks as if it were down."""
        self._scripts = scripts
        self._settings = settings
        self._worker = worker
        self._fence = leased.fence
        self._commits = 0
        self._started = time.monotonic()
        self._reason = ""
        self._limit: asyncio.Timeout | None = None
        self._grace: Grace = in_a_fetch
        self._until = 0.0
        self._self_fence: asyncio.TimerHandle | None = None
        self._key: Names = ()
        self._may_yield = True

    @classmethod
    async def lease(cls, scripts: Scripts, keys: SliceKeys, lease: int, settings: Settings, worker: str) -> Self | None:
        """Take the lease that this job is for; None when it is no longer to be had.

        The fence is 128 random bits, compared for equality. A number that grows is none in Redis: it rolls back
        with the data after a failover, and is handed out twice.
        """
        leased = await scripts.lease(keys, lease, secrets.token_hex(16), settings.lease, worker)
        return cls(scripts, keys, settings, worker, leased) if leased else None

    def use(self, source: Source) -> None:
        """What is to be known of the source: its documents are delivered with their keys, and whether a turn may end
        before the crawl does. A cursor that moves on when it is asked cannot be handed over: the next page is on its
        way already."""
        self._key = source.document_key
        self._may_yield = source.may_be_handed_over

    @asynccontextmanager
    async def in_hand(self) -> AsyncGenerator[None]:
        """Renews the lease for as long as the block lasts; cuts the block off, and raises `Halted`, when there is a
        reason to and what it does takes longer than its grace."""
        self._renewed()
        self._watch_lease()
        renewing = asyncio.create_task(self._renew(), name=f"renew {self.keys.tag}")
        try:
            async with asyncio.timeout(None) as self._limit:  # one around each step would take 50 us a page
                yield
        except TimeoutError:
            self._check_halted()
            raise
        finally:
            self._limit = None
            await ended(renewing)
            if self._self_fence:
                self._self_fence.cancel()

    async def until_halted(self, pages: Pages) -> AsyncIterator[Page]:
        """The pages, for as long as this worker has the slice; raises `Halted` in the middle of a fetch, too."""
        while not self.is_over:
            self._check_halted()
            self._grant(in_a_fetch)
            page = await anext(pages, None)
            if page is None:
                return
            self.fault = ""
            yield page

    async def commit(self, page: Page) -> None:
        """Documents and checkpoint together, in parts if the page is large; raises `Halted`.

        The same bytes are sent until Redis has answered: a lost reply changes nothing.
        """
        self._grant(in_a_commit)
        for part in self._parts(page):
            committed = await self._scripts.commit(self.keys, part, self._fence, self._settings.lease, self._worker)
            if committed.answer == "circle":
                raise Stop(
                    f"committing page {part.before.page}: its documents and the cursor behind it were there before, so "
                    f"the pages go round in a circle; check the crawl's paginate"
                )
            if committed.answer != "committed":
                raise Halted(committed.answer if committed.answer != "gone" else "fenced")
            self._renewed()
            self.checkpoint = replace(part.after, documents=committed.documents)
            self.is_over = committed.state != "running"
            if not self.is_over:
                self._check_halted()

    async def split(self, parts: Sequence[Bounds], total: int | None) -> None:
        """Children in place of this slice, and nothing is left to do for it; raises `Halted`.

        If there is a plan from an earlier time, it counts.
        """
        self._grant(in_a_commit)
        name = f"{self._fence[:16]}-split"
        while True:
            split = Split(name, self.checkpoint, parts, total)
            answer, plan = await self._scripts.split(self.keys, split, self._fence, self._worker)
            if answer != "other":
                break
            parts, total = plan, None
        if answer != "committed":
            raise Halted(answer if answer != "gone" else "fenced")
        self.is_over = True

    def _check_halted(self) -> None:
        if self._reason:
            raise Halted(self._reason)

    def _grant(self, grace: "Grace") -> None:
        """What follows is cut off when it is not done within the time that a reason to halt leaves it, and only then: a
        page may come in the very moment in which waiting for it is given up."""
        self._grace = grace
        if self._reason:
            self._cut_off(grace(self._reason))

    def _cut_off(self, seconds: float | None) -> None:
        if self._limit and not self._limit.expired():
            self._limit.reschedule(None if seconds is None else asyncio.get_running_loop().time() + seconds)

    def _parts(self, page: Page) -> Iterator[Part]:
        """A page of which a part is delivered begins with that part. With each part goes the digest of the page up to
        there, by which the next worker knows it again."""
        before, documents = self.checkpoint, page.documents
        done: Digest | None = None
        whole = Checkpoint(before.page + 1, 0, page.cursor)
        while True:
            end = self._end_of_part(documents, before.index)
            is_whole = end >= len(documents)
            if is_whole:
                so_far = page.digest
            else:
                done = done or Digest(documents[: before.index])
                so_far = done.add(documents[before.index : end])
            after = whole if is_whole else Checkpoint(before.page, end, before.cursor)
            yield Part(
                commit=f"{self._fence[:16]}-{self._commits}",
                before=before,
                after=after,
                ending=self._ending(page) if is_whole else "",
                arguments=self._arguments(documents[before.index : end]),
                fields=2 if self._key else 1,
                total=page.total,
                digest=so_far,
                doubt=page.doubt,
                notice=page.notice,
                quarantined=page.quarantined,
                size=page.size,
                status=page.status,
                milliseconds=round(page.seconds * 1000),
            )
            self._commits += 1
            before = after
            if is_whole:
                return

    @staticmethod
    def _end_of_part(documents: Sequence[bytes], start: int) -> int:
        if len(documents) - start <= MOST_DOCUMENTS and sum(map(len, documents)) <= MOST_BYTES:
            return len(documents)
        size, end = 0, start
        while end < len(documents) and end - start < MOST_DOCUMENTS:
            size += len(documents[end])
            if size > MOST_BYTES and end > start:
                break
            end += 1
        return end

    def _arguments(self, documents: Sequence[bytes]) -> Sequence[bytes]:
        if not self._key:
            return documents
        keys = map(str.encode, keys_of(documents, self._key))
        return list(chain.from_iterable(zip(documents, keys, strict=True)))

    def _ending(self, page: Page) -> Ending:
        if page.is_last:
            return "last"
        is_over = time.monotonic() - self._started > self._settings.turn
        return "yield" if is_over and self._may_yield else ""

    def halt(self, reason: str) -> None:
        """Stop as soon as nothing is lost by it. The first reason counts, but a later one may leave less time."""
        self._reason = self._reason or reason
        if (seconds := self._grace(reason)) is not None:
            self._cut_off(seconds)

    def _renewed(self) -> None:
        """The lease was extended just now: put off the moment at which we stop by ourselves."""
        self._until = time.monotonic() + 0.8 * self._settings.lease

    def _watch_lease(self) -> None:
        """A timer that looks when that moment should be there, rather than one that is set anew with every page."""
        if (left := self._until - time.monotonic()) <= 0:
            self.halt("unrenewed")
        else:
            self._self_fence = asyncio.get_running_loop().call_later(left, self._watch_lease)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._settings.renew)
            state = await self._scripts.renew(self.keys, self._fence, self._settings.lease, self.fault)
            if state != "running":
                self.halt("fenced" if state == "gone" else state)
                return
            self._renewed()

    async def release(self, state: str, seconds: float = 0.0, reason: str = "") -> None:
        """Give the lease back: 'queued' for the next worker, 'snoozed' for a while, or 'failed'."""
        try:
            async with asyncio.timeout(LAST_WORD if state == "queued" else None):
                await self._scripts.release(self.keys, self._fence, state, seconds, reason)
        except TimeoutError:
            log.warning("%s not released, Redis is away; it is rescued when the lease runs out", self.keys.tag)


Grace = Callable[[str], float | None]
"""Seconds that are left for what is under way when this is the reason to halt; None: all that it needs."""


def in_a_fetch(_: str) -> float | None:
    """A page that is not there yet is not waited for."""
    return 0.0


def in_a_commit(reason: str) -> float | None:
    """It is brought to its end; but a draining worker does not wait for ever for a Redis that is away."""
    return LAST_WORD if reason == "drained" else None
