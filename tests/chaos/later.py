"""A worker of a later release: it knows the field `sparkle` of crawls, and its cursors are `{"$later": <cursor>}`."""

import json
import sys
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from pagefleet_worker.__main__ import main
from pagefleet_worker.advance import Station
from pagefleet_worker.slice import Slice

from pagefleet.decode import is_object
from pagefleet.fleet import Description, Fleet
from pagefleet.keys import crawl
from pagefleet.page import Page
from pagefleet.pages import Pages, Source

LATER = "$later"
_pages = Station.pages


class LaterPages:
    """Pages whose cursors only this release knows."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._pages.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Page:
        page = await anext(self._pages)
        return page if page.is_last else replace(page, cursor={LATER: page.cursor})


def pages(station: Station, source: Source, held: Slice) -> LaterPages:
    """In place of `Station.pages`."""
    stored = held.checkpoint
    if is_object(stored.cursor) and LATER in stored.cursor:
        held.checkpoint = replace(stored, cursor=stored.cursor[LATER])
    made = _pages(station, source, held)
    held.checkpoint = stored
    return LaterPages(made)


async def source(fleet: Fleet, crawl_id: str) -> Source:
    """In place of `Fleet.source`."""
    redis: Any = fleet.redis  # redis-py types this for the synchronous client and this one at once
    said = json.loads(await redis.hget(crawl(crawl_id), "description"))
    return Description.validate_python({name: value for name, value in said.items() if name != "sparkle"})


if __name__ == "__main__":
    for owner, name, instead in ((Station, "pages", pages), (Fleet, "source", source)):
        setattr(owner, name, instead)
    sys.exit(main())
