"""What a crawl of a hostile endpoint comes to, by both drivers of the library."""

import asyncio
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pagefleet.crawl import Crawl
from pagefleet.crawlfile import parse
from pagefleet.errors import RetryLater, Stop
from pagefleet.page import Checkpoint, Cursor, Page
from pagefleet.pages import Pages, pages
from pagefleet.verdict import Signals, judge
from tests.hostile import ROWS, Hostile
from tests.hostile.collection import COUNT

CURSOR = {"kind": "cursor", "next": "meta.next"}
NEXT_URL = {"kind": "next_url", "next": "meta.next"}
LINK_HEADER = {"kind": "link_header"}
OFFSET = {"kind": "offset"}
PAGE = {"kind": "page"}
KEYSET = {"kind": "keyset", "field": "id", "param": "since_id"}

COMPLETE = ("complete",)
Paginate = dict[str, Any]


def crawl(server: Hostile, path: str, paginate: dict[str, Any], **more: Any) -> Crawl:
    """A crawl of an endpoint, with the total declared and three attempts; `more` goes over it."""
    said = {
        "url": server.url + path,
        "documents": "data",
        "key": "id",
        "total": "meta.total",
        "paginate": paginate,
        "limits": {"attempts": 3},
        **more,
    }
    return parse({name: value for name, value in said.items() if value is not None})


@dataclass
class Outcome:
    """Its documents in order, its pages, and either a verdict or what stopped it."""

    pages: list[Page] = field(default_factory=list[Page], repr=False)
    stop: str = ""
    waits: list[RetryLater] = field(default_factory=list[RetryLater])

    @property
    def documents(self) -> list[bytes]:
        return [document for page in self.pages for document in page.documents]

    @property
    def numbers(self) -> list[int]:
        """The ids of its documents."""
        return [json.loads(document).get("id") for document in self.documents]

    @property
    def verdict(self) -> tuple[str, ...]:
        """The finding and the words of its reasons; nothing when it did not come to its end."""
        if self.stop:
            return ()
        totals = [page.total for page in self.pages if page.total is not None]
        doubts = " ".join(dict.fromkeys(word for page in self.pages for word in page.doubt.split()))
        signals = Signals(len(self.documents), totals[-1] if totals else None, doubts=doubts)
        found = judge(signals)
        return (found.finding.value, *(word for word, _ in found.reasons))

    def plain(self) -> tuple[Any, ...]:
        """What both drivers must agree on; only for a lost connection each has words of its own."""
        stop = re.sub(r"Server disconnected[^,;]*", "", self.stop)
        return self.documents, [page.cursor for page in self.pages], self.verdict, stop


class Impatient:
    """A budget for which time passes at once; it remembers what it was asked to wait for."""

    def __init__(self) -> None:
        self.waits: list[RetryLater] = []

    async def token(self) -> None:
        """At once."""

    async def pause(self, cause: RetryLater) -> None:
        self.waits.append(cause)

    def answered(self) -> None:
        """So it has."""


def assert_whole(outcome: Outcome) -> None:
    """Every row once, in order, and a verdict that says so."""
    assert outcome.stop == ""
    assert outcome.numbers == list(range(COUNT))
    assert outcome.documents == ROWS
    assert outcome.verdict == COMPLETE


def assert_stopped(outcome: Outcome, rows: int, *said: str) -> None:
    """The first rows, once, and an error with these words in it."""
    assert outcome.numbers == list(range(rows)), outcome.stop
    assert outcome.documents == ROWS[:rows]
    for words in said:
        assert words in outcome.stop


def drained(
    server: Hostile, source: Crawl, cursor: Cursor = None, *, most: int = 30, is_forgotten: bool = True
) -> Outcome:
    """What `async for` comes to, and the same by `for` wherever there is nothing to wait for.

    A crawl that goes on for more than `most` pages goes round in circles. The second time the server has forgotten all.
    """
    outcome = asyncio.run(_drained(source, cursor, most))
    if not outcome.waits:
        if is_forgotten:
            server.forget()
        plain = _collected(pages(source, cursor), most)
        assert plain.numbers == outcome.numbers
        assert plain.plain() == outcome.plain()
    assert outcome.stop or outcome.pages[-1].is_last
    return outcome


async def _drained(source: Crawl, cursor: Cursor, most: int) -> Outcome:
    outcome, budget = Outcome(), Impatient()
    outcome.waits = budget.waits
    async with Pages(source, Checkpoint(cursor=cursor), budgets=lambda _: budget) as flow:
        try:
            async for page in flow:
                outcome.pages.append(page)
                assert len(outcome.pages) <= most, "it goes round and round"
        except Stop as stop:
            outcome.stop = str(stop)
    return outcome


def _collected(flow: Iterable[Page], most: int) -> Outcome:
    outcome = Outcome()
    try:
        for page in flow:
            outcome.pages.append(page)
            assert len(outcome.pages) <= most, "it goes round and round"
    except Stop as stop:
        outcome.stop = str(stop)
    return outcome


def rest(source: Crawl, before: Sequence[Page]) -> Outcome:
    """What comes behind these pages, from a checkpoint that has been to Redis and back."""
    last, count = before[-1], sum(len(page.documents) for page in before)
    cursor = json.loads(json.dumps(last.cursor))
    return _collected(Pages(source, Checkpoint(len(before) + 1, 0, cursor, count, last.total, last.digest)), 30)
