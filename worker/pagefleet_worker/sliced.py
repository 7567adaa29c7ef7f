"""What a worker is to do with a slice of a sliced crawl: walk a part of the source, or split it into smaller ones."""

import json
from dataclasses import dataclass
from typing import Self

from pagefleet.crawl import Crawl
from pagefleet.errors import Stop
from pagefleet.fleet import Fleet
from pagefleet.keys import SliceKeys
from pagefleet.page import Checkpoint, Page
from pagefleet.pages import Source
from pagefleet.slices import Bounds


@dataclass(frozen=True, slots=True)
class Sliced:
    """A slice with its bounds. Only before its first document is delivered may it be split."""

    whole: Source
    bounds: Bounds
    plan: list[Bounds]
    """What a split that broke off had begun with; nothing may be walked behind that."""
    is_at_start: bool

    @classmethod
    async def of(cls, fleet: Fleet, keys: SliceKeys, checkpoint: Checkpoint) -> Self:
        """Asks Redis for the source, and of a sliced one for the bounds."""
        source = await fleet.source(keys.crawl)
        is_at_start = (checkpoint.page, checkpoint.index, checkpoint.cursor) == (1, 0, None)
        if not isinstance(source, Crawl) or source.slices is None:
            return cls(source, None, [], is_at_start)
        bounds, plan = await fleet.bounds(keys)
        return cls(source, source.slices.whole() if bounds is None else json.loads(bounds), plan, is_at_start)

    @property
    def source(self) -> Source:
        """What is walked."""
        return self.whole.sliced(self.bounds) if isinstance(self.whole, Crawl) else self.whole

    def known(self) -> list[Bounds]:
        """The bounds of its children, if no page need be seen for them."""
        if not self.is_at_start or not isinstance(self.whole, Crawl) or self.whole.slices is None:
            return []
        return self.plan or self.whole.slices.known(self.bounds)

    def parts(self, page: Page) -> list[Bounds]:
        """The bounds of its children, by its first page; none: it is small enough."""
        if not isinstance(self.whole, Crawl) or (slices := self.whole.slices) is None or not slices.needs_total:
            return []
        if not self.is_at_start or page.quarantined or (page.is_last and not page.documents):
            return []
        if page.total is None:
            raise Stop(
                f"slicing by {slices.by}: the first page does not say how many documents there are; correct total"
            )
        return slices.parts(self.bounds, page.total, len(page.documents), self.whole.cap)
