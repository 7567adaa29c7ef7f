"""A window of pages: several at once, and the same documents in the same order as one after the other."""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pagefleet import Crawl, documents
from pagefleet.addresses import Allowed
from pagefleet.errors import Stop
from pagefleet.page import Checkpoint
from pagefleet.pages import Pages
from pagefleet.transport import AsyncTransport
from pagefleet.url import Site
from tests.api import Api, api, description, document

STYLES = {
    "offset": {"kind": "offset", "limit_param": "limit", "limit": 10},
    "page": {"kind": "page", "size_param": "per_page", "size": 10},
}


def crawl(url: str, style: str, window: int = 8, **params: Any) -> Crawl:
    said = description(url, "x", style, **params)
    total = {"total": said["total"]} if params.get("total") != "0" else {"total": None}
    return Crawl.model_validate({**said, **total, "paginate": {**STYLES[style], "window": window}})


async def drained(source: Crawl) -> tuple[list[bytes], str]:
    async with documents(source) as flow:
        found = [bytes(one) async for one in flow]
    return found, str(flow.verdict)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("total", ["0", "1"])
@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 100, 205])
async def test_all_documents_in_order(server: Api, style: str, total: str, count: int) -> None:
    found, verdict = await drained(crawl(server.url, style, count=count, total=total))
    assert found == [document("x", number) for number in range(count)]
    assert verdict == "complete"


@pytest.mark.parametrize("style", STYLES)
async def test_nothing_behind_a_known_end_is_asked_for(server: Api, style: str) -> None:
    await drained(crawl(server.url, style, count=100))
    targets = [asked.target for asked in server.asked("/c/")]
    assert len(targets) == len(set(targets)) == 11  # the page behind the last one says that it is empty


async def test_a_slow_server_is_asked_for_several_pages_at_once(server: Api) -> None:
    """Twenty pages of 0.1 s: with one after the other 2 s, with a window that grows about 0.6 s."""
    started = time.monotonic()
    await drained(crawl(server.url, "offset", count=200, delay=0.1))
    alone = 0.1 * len(server.asked("/c/"))
    assert time.monotonic() - started < 0.7 * alone
    assert 2 <= server.connections <= 8


async def test_a_window_is_no_wider_than_the_crawl_allows() -> None:
    with api(latency=0.05) as served:
        await drained(crawl(served.url, "page", window=3, count=300))
        times = sorted(asked.at for asked in served.asked())
    assert all(fourth - first > 0.04 for first, fourth in zip(times, times[3:], strict=False))


@pytest.mark.parametrize("style", STYLES)
async def test_pages_that_are_shorter_than_was_asked_for(server: Api, style: str) -> None:
    """The server gives 7 of the 10."""
    found, verdict = await drained(crawl(server.url, style, count=50, size=7))
    assert found == [document("x", number) for number in range(50)]
    assert verdict == "complete"


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("fault", ["hangup", "503", "429", "truncated", "html"])
async def test_faults_cost_time_and_no_document(server: Api, style: str, fault: str) -> None:
    source = crawl(server.url, style, count=45, fault=fault, times=1, chance=0.3, after=0)
    if fault == "html":
        with pytest.raises(Stop, match="not JSON"):
            await drained(source)
        return
    found, verdict = await drained(source)
    assert found == [document("x", number) for number in range(45)]
    assert verdict == "complete"


async def test_left_early_it_leaves_nothing(server: Api) -> None:
    source = crawl(server.url, "offset", count=1000, delay=0.02)
    async with documents(source) as flow:
        for _ in range(100):
            await anext(flow)
    await server.is_idle()
    assert {task.get_name() for task in asyncio.all_tasks()} & {"a page of the window", "pages"} == set()


class Shifting(AsyncTransport):
    """At the seam: a collection by offset whose pages are of any size, and whose answers come in any order."""

    def __init__(self, sizes: list[int], turns: list[int], count: int) -> None:
        super().__init__(Allowed())
        self._sizes, self._turns, self._count = sizes, turns, count
        self.asked = 0

    async def exchange(self, site: Site, request: bytes) -> Any:
        number, self.asked = self.asked, self.asked + 1
        for _ in range(self._turns[number % len(self._turns)]):
            await asyncio.sleep(0)
        found = re.search(rb"offset=(\d+)", request)
        assert found
        offset = int(found[1])
        size = self._sizes[offset % len(self._sizes)]
        return Body(b"[%s]" % b",".join(b"%d" % n for n in range(offset, min(offset + size, self._count))))


@dataclass
class Body:
    """Of an answer, at once."""

    body: bytes
    status: int = 200
    headers: Sequence[tuple[bytes, bytes]] = ()

    async def more(self) -> bytes:
        chunk, self.body = self.body, b""
        return chunk

    def close(self) -> None:
        """There is nothing to be given back."""


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    turns=st.lists(st.integers(0, 5), min_size=1, max_size=5),
    count=st.integers(0, 60),
    window=st.integers(1, 9),
)
def test_any_sizes_in_any_order(sizes: list[int], turns: list[int], count: int, window: int) -> None:
    """No document is lost or comes twice, and nothing that was of use is asked for again."""
    said = {"kind": "offset", "window": window}
    source = Crawl.model_validate({"url": "http://a.example/", "paginate": said})

    async def read() -> tuple[list[bytes], int]:
        served = Shifting(sizes, turns, count)
        async with Pages(source, Checkpoint(), client=served) as flow:
            return [one async for page in flow for one in page.documents], served.asked

    found, asked = asyncio.run(read())
    assert found == [b"%d" % number for number in range(count)]
    assert asked <= (count + 1) * window


@given(turns=st.integers(0, 5), busy=st.integers(0, 20))
def test_the_next_page_is_on_its_way_and_none_behind_that(turns: int, busy: int) -> None:
    """Before a page is worked on its successor has been asked for, and no more is until that was taken."""
    source = Crawl.model_validate({"url": "http://a.example/", "paginate": {"kind": "offset"}})

    async def read() -> None:
        served, taken = Shifting([1], [turns], 9), 0
        async with Pages(source, Checkpoint(), client=served) as flow:
            async for page in flow:
                taken += 1
                on_its_way = 0 if page.is_last else 1
                assert served.asked == taken + on_its_way
                for _ in range(busy):
                    await asyncio.sleep(0)
                assert served.asked == taken + on_its_way
        assert taken == served.asked == 10

    asyncio.run(read())
