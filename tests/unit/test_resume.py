"""A crawl that is left in the middle of a page, and a source that gives that page otherwise when it is gone on with."""

import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pagefleet import Client, pages, source
from pagefleet.crawl import Crawl
from pagefleet.fetch import Reply, Send
from pagefleet.page import Checkpoint, Page, Request, Response
from pagefleet.pages import Pages
from pagefleet.walk import walk
from pagefleet.watch import digest

URL = "https://api.example.org/things"


@dataclass
class Site:
    """Rows by position, by page, by the last one's id, or by a cursor, which is dead once `life` is another."""

    rows: list[dict[str, Any]]
    size: int = 12
    poison: set[int] = field(default_factory=set[int])
    life: int = 0

    def reply(self, request: Request) -> Response:
        url = urlsplit(request.url)
        params = dict(parse_qsl(url.query))
        life, _, position = params.pop("cursor", f"{self.life} 0").partition(" ")
        if int(life) != self.life:
            return Response(410, request.url, {}, b"gone")
        rows = self.rows if url.path == "/things" else self.below(int(url.path.split("/")[2]))
        size = min(self.size, int(params.get("limit", self.size)))
        start = self._start(params, size, rows) or int(position)
        found, end = rows[start : start + size], start + size
        if self.poison & {row["id"] for row in found}:
            return Response(500, request.url, {}, b"Oh!")
        body = {"data": found, "next": f"{self.life} {end}" if end < len(rows) else None}
        return Response(200, request.url, {}, json.dumps(body).encode())

    def _start(self, params: Mapping[str, str], size: int, rows: list[dict[str, Any]]) -> int:
        if "since" in params:
            return sum(row["id"] <= int(params["since"]) for row in rows)
        if "page" in params:
            return (int(params["page"]) - 1) * size
        return int(params.get("offset", 0))

    def below(self, number: int) -> list[dict[str, Any]]:
        return [{"id": 1000 * number + n} for n in range(20)]


def rows(*ids: int) -> list[dict[str, Any]]:
    return [{"id": number} for number in ids]


def run(crawl: Crawl, site: Site, checkpoint: Checkpoint) -> Iterator[Page]:
    flow = walk(crawl, checkpoint)
    reply: Reply = None
    while True:
        try:
            step = flow.send(reply)
        except StopIteration:
            return
        reply = site.reply(step.request) if isinstance(step, Send) else None
        if isinstance(step, Page):
            yield step


class Worker:
    """Commits pages in parts of `most` documents as workers do, and may be killed behind each of them."""

    def __init__(self, crawl: Crawl, most: int) -> None:
        self.crawl, self.most = crawl, most
        self.at, self.stream, self.doubts = Checkpoint(), dict[str, Any](), list[str]()
        self.ledger: dict[int, str] = {}

    def work(self, site: Site, commits: int = 10_000) -> bool:
        """Is it over?"""
        for page in run(self.crawl, site, self.at):
            while commits:
                commits -= 1
                if self._commit(page):
                    break
            else:
                return False
            if page.is_last:
                return True
        return False

    def _commit(self, page: Page) -> bool:
        start, end = self.at.index, self.at.index + self.most
        part = page.documents[start:end]
        for index, document in enumerate(part, start):
            assert f"{self.at.page}-{index}" not in self.stream
            self.stream[f"{self.at.page}-{index}"] = json.loads(document)["id"]
        total = page.total if page.total is not None else self.at.total
        is_whole, count = end >= len(page.documents), self.at.documents + len(part)
        if is_whole:
            self.doubts += page.doubt.split()
            self.ledger[self.at.page] = page.digest
            cursor = json.loads(json.dumps(page.cursor))
            self.at = Checkpoint(self.at.page + 1, 0, cursor, count, total, page.digest)
        else:
            so_far = digest(page.documents[:end])
            self.at = replace(self.at, index=end, documents=count, total=total, digest=so_far)
        return is_whole

    @property
    def ids(self) -> list[Any]:
        return list(self.stream.values())


OFFSET = {"kind": "offset", "limit_param": "limit", "limit": 12}
PAGE = {"kind": "page", "size_param": "limit", "size": 12}
KEYSET = {"kind": "keyset", "param": "since"}
CURSOR = {"kind": "cursor", "next": "next"}
EACH = {"url": "/things/{id}/below", "documents": "data", "paginate": OFFSET}


def crawl(paginate: Mapping[str, Any], **more: Any) -> Crawl:
    said = {"url": URL, "documents": "data", "paginate": paginate, "limits": {"attempts": 1}, **more}
    return Crawl.model_validate(said)


def smaller(site: Site) -> None:
    site.size = 5


def larger(site: Site) -> None:
    site.size = 30


def dead(site: Site) -> None:
    site.life, site.size = 1, 5


def poisoned(site: Site) -> None:
    """Behind what is delivered, so that every page that is asked for whole fails."""
    site.poison = {16}


CHANGES: list[tuple[str, Mapping[str, Any], Callable[[Site], None]]] = [
    ("smaller pages by offset", OFFSET, smaller),
    ("smaller pages by keyset", KEYSET, smaller),
    ("smaller pages by cursor", CURSOR, smaller),
    ("larger pages by cursor", CURSOR, larger),
    ("parts of a page by offset", OFFSET, poisoned),
    ("parts of a page by number", PAGE, poisoned),
    ("a keyset in place of a cursor", {**CURSOR, "fallback": KEYSET}, dead),
    ("an offset in place of a cursor", {**CURSOR, "fallback": OFFSET}, dead),
    ("pages by number in place of a cursor", {**CURSOR, "fallback": {**PAGE, "size": 5}}, dead),
    ("a restart", {**CURSOR, "fallback": "restart"}, dead),
]


@pytest.mark.invariant("C-1")
@pytest.mark.parametrize(("paginate", "change"), [one[1:] for one in CHANGES], ids=[one[0] for one in CHANGES])
@settings(max_examples=30)
@given(most=st.integers(1, 12), commits=st.integers(1, 12))
def test_in_the_middle_of_a_page_that_comes_otherwise(
    paginate: Mapping[str, Any], change: Callable[[Site], None], most: int, commits: int
) -> None:
    site, worker = Site(rows(*range(30))), Worker(crawl(paginate), most)
    is_over = worker.work(site, commits)
    change(site)
    if site.poison and any(number >= min(site.poison) for number in worker.ids):
        site.poison = set()
    assert is_over or worker.work(site)
    assert worker.ids == [number for number in range(30) if number not in site.poison]
    assert "drift" not in worker.doubts


@pytest.mark.parametrize("paginate", [OFFSET, PAGE], ids=["offset", "page"])
def test_a_document_that_was_delivered_and_cannot_be_had_again(paginate: Mapping[str, Any]) -> None:
    site, worker = Site(rows(*range(30))), Worker(crawl(paginate), 4)
    worker.work(site, 5)  # 12 and 8
    assert worker.at.index == 8
    site.poison = {14}
    assert worker.work(site)
    assert worker.ids == list(range(30))
    assert worker.doubts == ["drift"]


CHANGED: list[tuple[Mapping[str, Any], int, list[int], list[int]]] = [
    # by positions, rows that are gone are those of others; otherwise what comes is taken at its word
    (OFFSET, 5, [*range(12), 99, *range(13, 30)], [*range(30)]),
    (CURSOR, 5, [*range(12), 99, *range(13, 30)], [*range(20), *range(17, 30)]),
    (CURSOR, 12, [*range(12), *range(14, 30)], [*range(20), *range(22, 30)]),
    (CURSOR, 12, [*range(12), 99, *range(13, 30)], [*range(30)]),
    (OFFSET, 12, [*range(14)], [*range(20)]),
]


@pytest.mark.parametrize(("paginate", "size", "after", "expected"), CHANGED)
def test_a_page_that_has_changed(paginate: Mapping[str, Any], size: int, after: list[int], expected: list[int]) -> None:
    site, worker = Site(rows(*range(30))), Worker(crawl(paginate), 4)
    worker.work(site, 5)
    site.rows, site.size = rows(*after), size
    assert worker.work(site)
    assert worker.ids == expected
    assert worker.doubts == ["drift"]


def test_what_is_added_behind_what_was_delivered_is_no_drift() -> None:
    site, worker = Site(rows(*range(20)), 100), Worker(crawl({"kind": "none"}), 8)
    worker.work(site, 2)
    site.rows = rows(*range(25))
    assert worker.work(site)
    assert (worker.ids, worker.doubts) == ([*range(25)], [])


def test_the_ledgers_digest_is_that_of_all_parts() -> None:
    site, worker = Site(rows(*range(30))), Worker(crawl(OFFSET), 4)
    worker.work(site, 5)
    poisoned(site)
    site.poison = {22}
    assert worker.work(site)
    for page, said in worker.ledger.items():
        held = [number for entry, number in worker.stream.items() if entry.startswith(f"{page}-")]
        assert said == digest([json.dumps({"id": number}).encode() for number in held])


# Below the documents of a crawl


@settings(max_examples=60)
@given(most=st.integers(1, 12), commits=st.integers(1, 40), change=st.sampled_from([smaller, larger]))
def test_children_and_parents_that_come_otherwise(most: int, commits: int, change: Callable[[Site], None]) -> None:
    for paginate in (OFFSET, CURSOR, KEYSET):
        site, worker = Site(rows(*range(1, 15))), Worker(crawl(paginate, each=EACH), most)
        is_over = worker.work(site, commits)
        change(site)
        assert is_over or worker.work(site)
        assert worker.ids == [1000 * number + n for number in range(1, 15) for n in range(20)]
        assert worker.doubts == []


@settings(max_examples=60)
@given(most=st.integers(1, 12), commits=st.integers(1, 40))
def test_parents_in_parts_and_from_a_fallback(most: int, commits: int) -> None:
    """No page of more than one parent can be had any more; or their cursor is dead."""

    class Narrow(Site):
        def reply(self, request: Request) -> Response:
            url = urlsplit(request.url)
            is_large = url.path == "/things" and dict(parse_qsl(url.query))["limit"] != "1"
            return Response(500, request.url, {}, b"") if self.life and is_large else super().reply(request)

    parents = rows(*range(1, 15))
    for paginate, site in ((OFFSET, Narrow(parents)), ({**CURSOR, "fallback": KEYSET}, Site(parents))):
        worker = Worker(crawl(paginate, each=EACH), most)
        is_over = worker.work(site, commits)
        dead(site)
        assert is_over or worker.work(site)
        assert worker.ids == [1000 * number + n for number in range(1, 15) for n in range(20)]
        assert "drift" not in worker.doubts


def test_the_digest_of_a_childs_page_is_that_of_what_is_delivered() -> None:
    site = Site(rows(1, 2))
    for page in run(crawl(OFFSET, each={**EACH, "include": {"parent": "id"}}), site, Checkpoint()):
        assert page.digest == digest(page.documents) or page.is_last


# Sources in Python


@source
async def numbers(client: Client, cursor: int | None, size: int) -> AsyncGenerator[Page]:
    for start in range(cursor or 0, 30, size):
        yield Page(list(range(start, min(start + size, 30))), cursor=start + size)


@pytest.mark.parametrize("size", [5, 12, 25])
def test_a_source_in_python_whose_pages_are_others(size: int) -> None:
    whole = [str(number).encode() for number in range(30)]
    at = Checkpoint(2, 8, 12, 20, None, digest(whole[12:20]))
    found = list(Pages(numbers(size=size), at))
    assert [one for page in found for one in page.documents] == whole[12:]
    assert (found[0].documents[:8], found[0].doubt) == (whole[12:20], "")
    with_cursor = pages(numbers(size=size), 12)
    assert next(iter(with_cursor)).documents == whole[12 : 12 + size]
    with_cursor.close()
