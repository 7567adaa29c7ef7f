"""What the fleet is given to do: slow crawls without end, each with a reader that trusts the ids of what it read."""

import random
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field

from pagefleet import Crawl, Document, Fleet, Handle
from pagefleet.errors import CrawlMissing, PagefleetError
from tests.api import description, document

READER = "reader"
STYLES = ("offset", "page", "cursor", "next_url", "link_header")


@dataclass(frozen=True)
class Given:
    """A crawl, and what the server has for it."""

    name: str
    style: str
    count: int
    size: int
    delay: float
    backlog: int | None
    """The limit of its results stream; None: no limit, and its reader keeps the last id to itself."""

    def crawl(self, url: str) -> Crawl:
        said = description(url, self.name, self.style, count=self.count, size=self.size, delay=self.delay)
        return Crawl.model_validate({**said, "name": self.name, "limits": {"backlog": self.backlog}})

    def documents(self) -> dict[str, bytes]:
        """Id -> document, in order: a page has `size` of them, and pages count from 1."""
        return {
            f"{number // self.size + 1}-{number % self.size}": document(self.name, number)
            for number in range(self.count)
        }


def given(chance: random.Random, name: str) -> Given:
    """Mostly 60 pages of 7 or 10; now and then pages so large that they are committed in parts."""
    style = chance.choice(STYLES)
    if chance.random() < 0.1:
        return Given(name, style, 1200 * chance.randint(3, 5) + chance.randint(1, 600), 1200, 0.5, None)
    size, pages = chance.choice((7, 10)), chance.randint(40, 90)
    backlog = chance.choice((None, None, 45))
    return Given(name, style, size * pages - chance.randint(0, 6), size, chance.uniform(0.08, 0.14), backlog)


@dataclass
class Reading:
    """A crawl with its reader, which is called `READER` where the crawl waits for it: `read` is all that it got, in its
    order."""

    given: Given
    handle: Handle
    read: list[Document] = field(default_factory=list[Document])
    is_read: bool = False
    was_forgotten: bool = False
    failure: str = ""

    def note(self, found: Document) -> None:
        """Only where Redis forgot the crawl and with it its reader may documents come again: the same ones."""
        if self.was_forgotten and found in self.read and found.id == self.read[self.read.index(found)].id:
            return
        self.read.append(found)

    async def say_again(self) -> None:
        """A crawl of which Redis forgot the end waits for its reader, who has left: that has to come again."""
        if self.given.backlog and self.read:
            await self.handle.acknowledge(READER, self.read[-1].id)


class Work:
    """So many crawls at any time, until `enough`; the last ones are read to their ends behind that."""

    def __init__(self, fleet: Fleet, url: str, seed: str, tally: Counter[str]) -> None:
        self._fleet = fleet
        self._url = url
        self._chance = random.Random(seed)
        self._tally = tally
        self._is_enough = False
        self.all: list[Reading] = []

    def enough(self) -> None:
        self._is_enough = True

    async def go_on(self) -> None:
        """One crawl after another."""
        while not self._is_enough:
            name = f"c{len(self.all)}"
            one = Reading(given(self._chance, name), self._fleet.crawl(name))
            self.all.append(one)
            await self._see_through(one)

    async def _see_through(self, one: Reading) -> None:
        """Enqueue it and read it to its end. What Redis forgets in the second behind an enqueue is the crawl itself:
        who enqueued it does that again."""
        try:
            while not one.is_read:
                await self._fleet.enqueue(one.given.crawl(self._url))
                try:
                    await self._read(one)
                    one.is_read = True
                except CrawlMissing:
                    one.was_forgotten = True
                    self._tally["crawls forgotten and enqueued again"] += 1
        except PagefleetError as error:
            one.failure = f"{type(error).__name__}: {error}"

    async def _read(self, one: Reading) -> None:
        if one.given.backlog:
            async with aclosing(one.handle.documents(READER)) as documents:
                async for found in documents:
                    one.note(found)
            return
        after = one.read[-1].id if one.read else None
        async with aclosing(one.handle.batches(after)) as batches:
            async for batch in batches:
                for found in batch:
                    one.note(found)
