"""A worker of a later release: it knows the field `sparkle` of crawls, and its cursors are `{"$later": <cursor>}`."""

import json
import sys
from typing import Any

from msgspec.structs import replace
from pagefleet_worker import advance
from pagefleet_worker.__main__ import main

from pagefleet.decode import is_object
from pagefleet.fleet import Description, Fleet
from pagefleet.keys import crawl
from pagefleet.page import Checkpoint, Page
from pagefleet.pages import Pages, Source

LATER = "$later"


class LaterPages(Pages):
    """Pages whose cursors only this release knows."""

    def __init__(self, source: Source, checkpoint: Checkpoint, **more: Any) -> None:
        if is_object(checkpoint.cursor) and LATER in checkpoint.cursor:
            checkpoint = replace(checkpoint, cursor=checkpoint.cursor[LATER])
        super().__init__(source, checkpoint, **more)

    async def __anext__(self) -> Page:
        page = await super().__anext__()
        return page if page.is_last else replace(page, cursor={LATER: page.cursor})


async def source(fleet: Fleet, crawl_id: str) -> Source:
    """In place of `Fleet.source`: descriptions with a field more."""
    redis: Any = fleet.redis  # redis-py types this for the synchronous client and this one at once
    said = json.loads(await redis.hget(crawl(crawl_id), "description"))
    return Description.validate_python({name: value for name, value in said.items() if name != "sparkle"})


if __name__ == "__main__":
    for owner, name, instead in ((advance, "Pages", LaterPages), (Fleet, "source", source)):
        setattr(owner, name, instead)
    sys.exit(main())
