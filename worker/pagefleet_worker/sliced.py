"""What a worker is to do with a slice of a sliced crawl: walk a part of the source, or split it into smaller ones."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from pagefleet.crawl import Crawl
from pagefleet.errors import CrawlMissing, Stop
from pagefleet.fleet import Fleet
from pagefleet.keys import WHOLE, SliceKeys
from pagefleet.page import Checkpoint, Page
from pagefleet.pages import Source
from pagefleet.slices import Bounds, Slices


@dataclass(frozen=True, slots=True)
class Sliced:
    """A slice with its bounds."""

    source: Source
    """What is walked."""
    slices: Slices | None = None
    """How it may be split; None: not, or no longer, for some of it is delivered."""
    bounds: Bounds = None
    plan: Sequence[Bounds] = ()
    """What a split that broke off had begun with; nothing may be walked behind that."""
    cap: int | None = None
    """The API's, of the whole crawl."""

    @classmethod
    async def of(cls, fleet: Fleet, keys: SliceKeys, checkpoint: Checkpoint) -> Self:
        """Asks Redis for the source, and of a sliced one for the bounds."""
        whole = await fleet.source(keys.crawl)
        if not isinstance(whole, Crawl) or whole.slices is None:
            if keys.number != WHOLE:
                raise CrawlMissing(f"looking up {keys.tag}: its crawl was deleted, and another one has the name")
            return cls(whole)
        said, plan = await fleet.bounds(keys)
        bounds = whole.slices.whole() if said is None else json.loads(said)
        source = whole.sliced(bounds)
        is_at_start = (checkpoint.page, checkpoint.index, checkpoint.cursor) == (1, 0, None)
        return cls(source, whole.slices, bounds, plan, whole.cap) if is_at_start else cls(source)

    def known(self) -> Sequence[Bounds]:
        """The bounds of its children, if no page need be seen for them."""
        if self.slices is None:
            return ()
        return self.plan or self.slices.known(self.bounds)

    def parts(self, page: Page) -> Sequence[Bounds]:
        """The bounds of its children, by its first page; none: it is small enough."""
        slices = self.slices
        if slices is None or not slices.needs_total or slices.span(self.bounds) or page.quarantined:
            return ()
        if page.is_last and not page.documents:
            return ()
        if page.total is None:
            raise Stop(
                f"slicing by {slices.by}: the first page does not say how many documents there are; correct total"
            )
        return slices.parts(self.bounds, page.total, len(page.documents), self.cap)
