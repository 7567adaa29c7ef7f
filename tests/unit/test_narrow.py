"""A page that can never be had is asked for in parts, until the document at fault is alone and set aside."""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pagefleet.crawl import Crawl
from pagefleet.errors import RetryNow, Stop
from pagefleet.fetch import Reply, Send
from pagefleet.page import Checkpoint, Page, Quarantined, Request, Response
from pagefleet.walk import walk

URL = "https://api.example.org/things"
OFFSET = {"kind": "offset", "limit_param": "limit", "limit": 12}
PAGE = {"kind": "page", "size_param": "size", "size": 12}
KINDS = [OFFSET, PAGE, {**OFFSET, "start": 1}, {**PAGE, "start": 0}]


class Site:
    """A collection some of whose documents bring down every page that they are on."""

    def __init__(self, count: int, poison: set[int], how: Reply | None = None) -> None:
        self.count, self.poison, self.how, self.asked = count, poison, how, 0

    def answer(self, request: Request, paginate: Mapping[str, Any]) -> Reply:
        self.asked += 1
        params = {name: int(value) for name, value in parse_qsl(urlsplit(request.url).query)}
        size = params.get("limit") or params.get("size") or 12
        base = paginate.get("start", 0 if paginate["kind"] == "offset" else 1)
        start = params["offset"] - base if paginate["kind"] == "offset" else (params["page"] - base) * size
        found = range(start, min(start + size, self.count))
        if self.poison & set(found):
            return self.how or Response(500, request.url, {}, b"Oh!")
        return Response(200, request.url, {}, json.dumps({"data": list(found)}).encode())


def run(site: Site, paginate: Mapping[str, Any], checkpoint: Checkpoint | None = None) -> Iterator[Page]:
    crawl = Crawl.model_validate({"url": URL, "documents": "data", "paginate": paginate, "limits": {"attempts": 3}})
    flow = walk(crawl, checkpoint or Checkpoint())
    reply: Reply = None
    while True:
        try:
            step = flow.send(reply)
        except StopIteration:
            return
        reply = site.answer(step.request, paginate) if isinstance(step, Send) else None
        if isinstance(step, Page):
            yield step


def numbers(pages: list[Page]) -> list[int]:
    return [json.loads(document) for page in pages for document in page.documents]


@pytest.mark.parametrize("paginate", KINDS)
@settings(max_examples=25)
@given(st.integers(0, 40), st.sets(st.integers(0, 39), max_size=5))
def test_all_but_the_poison_from_every_checkpoint(paginate: Mapping[str, Any], count: int, poison: set[int]) -> None:
    poison = {number for number in poison if 12 <= number < count}  # what a first page holds nobody knows
    pages = list(run(Site(count, poison), paginate))
    assert numbers(pages) == [number for number in range(count) if number not in poison]
    assert [page.doubt for page in pages if page.quarantined] == ["quarantined"] * len(poison)
    for number, page in enumerate(pages[:-1], 1):
        if paginate["kind"] == "page" and any(one.quarantined for one in pages[:number]):
            continue  # then a resumed walk does not know whether the server keeps to the size, and stops at poison
        cursor = json.loads(json.dumps(page.cursor))
        done = len(numbers(pages[:number]))
        rest = list(run(Site(count, poison), paginate, Checkpoint(number + 1, 0, cursor, done)))
        assert numbers(rest) == numbers(pages[number:])


def test_the_evidence() -> None:
    (page,) = (page for page in run(Site(30, {14}), OFFSET) if page.quarantined)
    reason = f"fetching {URL}?…: the server answered 500, at each of 2 attempts; try again later"
    assert page.quarantined == Quarantined({"$narrow": [14, 1, 24]}, reason)
    assert (page.documents, page.is_last) == ([], False)


def test_what_is_cut_each_time_is_poison_too() -> None:
    cut = Response(200, URL, {}, b'{"data": [')
    assert numbers(list(run(Site(30, {14}, cut), OFFSET))) == [*range(14), *range(15, 30)]


@pytest.mark.parametrize("fault", [Response(503, URL, {}, b""), RetryNow("no answer"), Response(504, URL, {}, b"")])
def test_a_document_that_only_takes_long_is_not_left_out(fault: Reply) -> None:
    """Parts are tried, for many servers answer so when a page is too heavy."""
    with pytest.raises(Stop, match="at each of 2 attempts"):
        list(run(Site(30, {14}, fault), OFFSET))


def test_nobody_is_asked_for_parts_who_is_not_there() -> None:
    site = Site(30, {14}, RetryNow("refused", is_sent=False))
    with pytest.raises(Stop, match="refused, at each of 3 attempts"):
        list(run(site, OFFSET))
    assert site.asked == 1 + 3


def test_a_server_that_fails_at_everything_is_not_emptied_into_the_quarantine() -> None:
    """Nothing is set aside before the server has answered to something behind it; so there is nothing to be replayed
    that never was at fault, however often such a crawl is resumed."""
    pages: list[Page] = []
    with pytest.raises(Stop, match="the server answered 500"):  # noqa: PT012  # what came before counts
        for page in run(Site(1000, set(range(20, 1000))), OFFSET):
            pages.append(page)  # noqa: PERF402
    assert numbers(pages) == list(range(20))
    assert not any(page.quarantined for page in pages)


def test_a_server_that_does_not_keep_to_the_size_has_its_pages_elsewhere() -> None:
    class Capped(Site):
        def answer(self, request: Request, paginate: Mapping[str, Any]) -> Reply:
            return super().answer(Request("GET", request.url.replace("size=12", "size=11")), paginate)

    with pytest.raises(Stop, match="at each of 3 attempts"):
        list(run(Capped(40, {14}), PAGE))


@pytest.mark.parametrize("paginate", [{"kind": "offset"}, {"kind": "page"}])
def test_where_no_size_can_be_asked_for_the_page_stays_the_page(paginate: Mapping[str, Any]) -> None:
    with pytest.raises(Stop, match="at each of 3 attempts"):
        list(run(Site(30, {14}), paginate))
