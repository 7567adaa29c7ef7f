"""`pagefleet audit` on a real Redis: it agrees with what the scripts wrote, and finds what somebody changed."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from msgspec.structs import replace

from pagefleet.audit import Audit, audit
from pagefleet.errors import CrawlMissing
from pagefleet.fleet import Fleet
from pagefleet.states import State
from tests.redis.actors import Case, Hand, case, while_running

pytestmark = pytest.mark.invariant("O-5")
Entries = list[tuple[bytes, dict[bytes, bytes]]]


@asynccontextmanager
async def crawled(url: str, *sizes: int) -> AsyncGenerator[tuple[Case, Fleet]]:
    """A crawl that is finished, whose documents have keys."""
    async with case(url, *sizes) as c, Fleet(url) as fleet:
        await c.enqueue()
        hand = await c.lease()
        while hand.checkpoint.page <= len(sizes):
            await deliver(c, hand)
        yield c, fleet


async def deliver(c: Case, hand: Hand, most: int = 500) -> None:
    """The next commit, each document with its key."""
    part = hand.part(most=most)
    start = (part.before.page, part.before.index)
    pairs = [(data, b"%d/%d" % (start[0], start[1] + n)) for n, data in enumerate(part.arguments)]
    part = replace(part, arguments=[argument for pair in pairs for argument in pair], fields=2)
    committed = await c.send(hand, part)
    assert committed.answer == "committed"
    hand.checkpoint = replace(part.after, documents=committed.documents)


def words(found: Audit) -> list[str]:
    return [word for word, _ in found.findings]


async def rewrite(c: Case, change: Callable[[Entries], object], stream: str) -> None:
    """The same stream with other entries."""
    entries = await c.call("XRANGE", stream, "-", "+")
    change(entries)
    await c.call("DEL", stream)
    for entry, fields in entries:
        await c.call("XADD", stream, entry, *(word for pair in fields.items() for word in pair))


@pytest.mark.invariant("O-5")
async def test_what_the_scripts_wrote_agrees(redis_url: str) -> None:
    async with crawled(redis_url, 3, 0, 700, 1) as (_, fleet):
        found = await audit(fleet, "crawl")
        assert found == Audit("crawl", State.FINISHED, 4, 704, 704, (), ())
        assert found.is_whole


async def test_a_page_that_came_in_parts_agrees(redis_url: str) -> None:
    async with case(redis_url, 5, 2) as c, Fleet(redis_url) as fleet:
        await c.enqueue()
        hand = await c.lease()
        await deliver(c, hand, most=2)
        early = await audit(fleet, "crawl")
        assert early.findings == (("unfinished", "it is running, and stands in page 1, before document 2"),)
        while await c.state() == "running":
            await deliver(c, hand, most=2)
        assert (await audit(fleet, "crawl")).is_whole


async def gap(c: Case) -> None:
    await c.call("XDEL", c.keys.documents, "2-1")


async def lost_page(c: Case) -> None:
    await c.call("XDEL", c.keys.documents, "1-0", "1-1")


async def duplicate(c: Case) -> None:
    def again(entries: Entries) -> None:
        entries.insert(2, (b"1-2", entries[1][1]))

    await rewrite(c, again, c.keys.documents)


async def duplicate_instead(c: Case) -> None:
    def again(entries: Entries) -> None:
        entries[3] = (entries[3][0], entries[0][1])

    await rewrite(c, again, c.keys.documents)


async def swap(c: Case) -> None:
    def swapped(entries: Entries) -> None:
        (one, first), (other, second) = entries[2:4]
        entries[2:4] = [(one, second), (other, first)]

    await rewrite(c, swapped, c.keys.documents)


async def lost_row(c: Case) -> None:
    await c.call("XDEL", c.keys.ledger, "2-0")


async def swapped_rows(c: Case) -> None:
    def swapped(entries: Entries) -> None:
        (one, first), (other, second) = entries[:2]
        entries[:2] = [(one, second), (other, first)]

    await rewrite(c, swapped, c.keys.ledger)


async def short(c: Case) -> None:
    await c.call("HSET", c.keys.slice, "total", 8)


async def doubtful(c: Case) -> None:
    await c.call("HSET", c.keys.slice, "doubts", " overlap ")


async def miscounted(c: Case) -> None:
    await c.call("HINCRBY", c.keys.slice, "documents", 1)


PLANTED: dict[str, tuple[Callable[[Case], Awaitable[None]], set[str]]] = {
    "a gap": (gap, {"gap"}),
    "a page that is gone": (lost_page, {"gap"}),
    "a duplicate": (duplicate, {"extra", "duplicate"}),
    "a duplicate in place of another": (duplicate_instead, {"digest", "duplicate"}),
    "a swap": (swap, {"digest"}),
    "a row that is gone": (lost_row, {"gap", "count"}),
    "rows that were swapped": (swapped_rows, {"chain", "gap", "digest", "extra"}),
    "a total that was not reached": (short, {"below-total"}),
    "a doubt": (doubtful, {"overlap"}),
    "a count": (miscounted, {"count"}),
}


@pytest.mark.invariant("O-5")
@pytest.mark.parametrize("name", PLANTED)
async def test_what_was_planted_is_found(redis_url: str, name: str) -> None:
    plant, expected = PLANTED[name]
    async with crawled(redis_url, 2, 3, 2) as (c, fleet):
        await plant(c)
        found = await audit(fleet, "crawl")
        assert words(found)
        assert set(words(found)) <= expected
        assert not found.is_whole


async def test_documents_that_were_read_and_dropped_are_told(redis_url: str) -> None:
    async with case(redis_url, 3, 3, 3) as c, Fleet(redis_url) as fleet:
        await c.enqueue(backlog=4)
        hand = await c.lease()
        await deliver(c, hand)
        await deliver(c, hand)
        await c.scripts.acknowledge(c.keys, "reader", "2-0")
        await deliver(c, hand)
        found = await audit(fleet, "crawl")
        assert (found.findings, found.documents) == ((), 3)
        assert found.limits == ("the documents of 2 pages: every reader had them, and they were dropped",)
        await c.call("XDEL", c.keys.documents, "2-1")
        assert words(await audit(fleet, "crawl")) == ["gap"]


async def test_what_a_torn_write_left_is_no_fault(redis_url: str) -> None:
    async with crawled(redis_url, 2) as (c, fleet):
        await c.call("XADD", c.keys.documents, "2-0", "d", "torn")
        found = await audit(fleet, "crawl")
        assert found.findings == ()
        assert found.limits == ("1 entries behind the checkpoint, which a torn write left and nobody reads",)


async def test_documents_too_large_for_one_answer_are_read_a_few_at_a_time(redis_url: str) -> None:
    async with crawled(redis_url, *[40] * 3) as (c, fleet):
        await rewrite(
            c, lambda entries: [fields.update({b"d": b"x" * 300_000}) for _, fields in entries], c.keys.documents
        )
        found = await audit(fleet, "crawl")
        assert words(found) == ["digest"] * 3
        assert found.keys == 120


async def test_a_crawl_that_is_not_there(redis_url: str) -> None:
    async with Fleet(redis_url) as fleet:
        with pytest.raises(CrawlMissing):
            await audit(fleet, "nothing")


async def test_a_crawl_that_goes_on_meanwhile(redis_url: str) -> None:
    """What is behind the checkpoint that was read first does not count."""
    async with case(redis_url, *[2] * 200) as c, Fleet(redis_url) as fleet:
        await c.enqueue()
        hand = await c.lease()

        async def go_on() -> None:
            while await c.state() == "running":
                await deliver(c, hand)

        seen: set[int] = set()
        async with while_running(go_on()) as going:
            while not going.done():
                found = await audit(fleet, "crawl")
                assert words(found) in (["unfinished"], [])
                seen.add(found.pages)
        assert len(seen) > 3
        assert (await audit(fleet, "crawl")).is_whole
