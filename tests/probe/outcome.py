"""What a probe comes to, and what a crawl by it brings."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pagefleet.crawl import Crawl
from pagefleet.errors import Stop
from pagefleet.page import Checkpoint
from pagefleet.pages import Pages
from pagefleet.probe import Probed, probe

MOST = 300
"""Pages of any crawl here; one that goes on for more goes round in circles."""


@dataclass(frozen=True)
class Brought:
    """The documents of a crawl, and what ended it before its end."""

    documents: list[Any]
    stop: str = ""


def probed(url: str, headers: Mapping[str, str] | None = None) -> Probed:
    """What the probe says of a URL, over real HTTP."""
    return asyncio.run(probe(url, headers))


def brought(crawl: Crawl) -> Brought:
    """What a crawl brings, over real HTTP."""
    return asyncio.run(_brought(crawl))


async def _brought(crawl: Crawl) -> Brought:
    found: list[Any] = []
    number = 0
    try:
        async with Pages(crawl, Checkpoint()) as pages:
            async for page in pages:
                number += 1
                assert number <= MOST, "it goes round and round"
                found += [json.loads(document) for document in page.documents]
    except Stop as stop:
        return Brought(found, str(stop))
    return Brought(found)
