"""A page's digest is that of the documents that it delivers: an audit compares the two."""

import asyncio
from collections.abc import Generator
from typing import Any

import pytest

from pagefleet.pages import pages
from pagefleet.watch import digest
from tests.hostile import ROWS, Hostile, hostile
from tests.hostile.outcome import CURSOR, PAGE, crawl


@pytest.fixture(name="server")
def _server() -> Generator[Hostile]:
    with hostile() as served:
        yield served
        asyncio.run(served.is_idle())


@pytest.mark.parametrize("fallback", ["restart", {**PAGE, "size_param": "per_page", "size": 8}])
def test_it_is_also_when_some_were_delivered_before(server: Hostile, fallback: Any) -> None:
    seen = list(pages(crawl(server, "/p13-cursor-expires?as=410", {**CURSOR, "fallback": fallback})))
    assert sum(len(page.documents) for page in seen) == len(ROWS)
    assert [page.digest for page in seen] == [digest(page.documents) for page in seen]
