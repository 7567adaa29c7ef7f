"""The loop: a job advances one slice, page by page, and every way out of it puts the slice where it belongs."""

import logging
from dataclasses import dataclass, field
from typing import Any

from pagefleet.errors import Exhausted, LaterRelease, PagefleetError, RetryLater
from pagefleet.fleet import Fleet
from pagefleet.keys import WHOLE, SliceKeys
from pagefleet.pages import Pages, Source
from pagefleet.redaction import redacted
from pagefleet.settings import Settings
from pagefleet_worker.budget import FleetBudget, FleetBudgets
from pagefleet_worker.clients import Clients
from pagefleet_worker.slice import Halted, Slice
from pagefleet_worker.sliced import Sliced

log = logging.getLogger("pagefleet.worker")

BACKLOG_WAIT = 5.0
"""Seconds until a full stream is looked at again, if no consumer wakes the slice before."""
ELSEWHERE = 5.0
"""Seconds until a worker is looked for again that knows what this one does not."""


@dataclass
class Station:
    """What the jobs of one worker process share."""

    name: str
    fleet: Fleet
    clients: Clients
    settings: Settings
    slices: set[Slice] = field(default_factory=set[Slice])
    is_draining: bool = False

    def __post_init__(self) -> None:
        self.budgets = FleetBudgets(self.fleet.scripts)

    def drain(self) -> None:
        """Give every slice back as soon as nothing is lost by it, and take no other."""
        self.is_draining = True
        for held in self.slices:
            held.halt("drained")

    def pages(self, source: Source, held: Slice) -> Pages:
        """The pages that follow a slice's checkpoint, under the fleet's budget."""
        return Pages(
            source,
            held.checkpoint,
            client=self.clients.of(held.keys.crawl, source),
            may_be_missing=held.keys.number != WHOLE,
            budgets=lambda origin: ToldBudget(self.budgets.at(origin, source.rate), origin, held),
        )


@dataclass(frozen=True, slots=True)
class ToldBudget:
    """A budget as one slice sees it: why it waits is told to whoever looks at the slice."""

    budget: FleetBudget
    origin: str
    held: Slice

    async def token(self) -> None:
        await self.budget.token()

    async def pause(self, cause: RetryLater) -> None:
        self.held.fault = str(cause) if cause.is_source else f"{self.origin}: {cause}"  # a source's word names its URL
        log.warning("%s: %s; again in %.1f s", self.held.keys.tag, self.held.fault, cause.seconds)
        if cause.is_down:
            self.held.doubted = self.budget
        await self.budget.pause(cause, self.held.keys.tag)

    def answered(self) -> None:
        self.held.doubted = None
        self.budget.answered()


async def advance(ctx: dict[Any, Any], tag: str, lease: int, *_: object, **__: object) -> None:
    """arq's job: lease the slice, walk its pages, and leave it where it belongs. Never raises on purpose.

    A later release may say more in its jobs.
    """
    station: Station = ctx["station"]
    keys = SliceKeys.of(tag)
    held = await Slice.lease(station.fleet.scripts, keys, lease, station.settings, station.name)
    if held is None:
        return
    station.slices.add(held)
    try:
        if station.is_draining:
            held.halt("drained")
        async with held.in_hand():
            await _walk(station, held)
    except Halted as halted:
        await _leave(held, halted.reason)
    except RetryLater as later:
        await held.release("snoozed", later.seconds, str(later))
    except LaterRelease as unknown:
        await held.release("snoozed", ELSEWHERE, str(unknown))
    except PagefleetError as error:
        log.warning("%s failed: %s", tag, error)
        await held.release("failed", reason=str(error))
    except Exception as error:  # a fault of ours must not be rescued over and over
        log.exception("advancing %s", tag)
        await held.release("failed", reason=redacted(f"internal error: {type(error).__name__}: {error}"))
    finally:
        station.slices.discard(held)


async def _walk(station: Station, held: Slice) -> None:
    sliced = await Sliced.of(station.fleet, held.keys, held.checkpoint)
    if children := sliced.known():
        await held.split(children, None)
        return
    held.use(sliced.source)
    is_first = True
    try:
        async with station.pages(sliced.source, held) as pages:
            async for page in held.until_halted(pages):
                if is_first and (children := sliced.parts(page)):
                    await held.split(children, page.total)
                    return
                is_first = False
                if page.notice:
                    log.warning("%s: %s", held.keys.tag, page.notice)
                await held.commit(page)
    except Exhausted as fault:
        if fault.last.is_down and held.doubted:
            await held.doubted.give_up(held.keys.tag, fault.last)
        raise


async def _leave(held: Slice, reason: str) -> None:
    log.info("%s left: %s", held.keys.tag, reason)
    if reason == "full":
        await held.release("snoozed", BACKLOG_WAIT, "backlog")
    elif reason != "fenced":
        await held.release("queued", reason=reason)
