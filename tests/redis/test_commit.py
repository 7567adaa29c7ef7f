"""The commit: documents and checkpoint together, from where it says, by whom it says, and only once."""

import pytest
from msgspec.structs import replace

from pagefleet.keys import DUE, QUEUE
from pagefleet.page import Checkpoint
from pagefleet.watch import digest
from tests.redis.actors import HOUR, LEASE, Case, Hand, Verb, case

# Pages


async def test_pages_become_the_stream_and_the_last_one_ends_the_slice(redis_url: str) -> None:
    async with case(redis_url, 2, 0, 3) as c:
        await c.enqueue()
        hand = await c.lease()
        first = await c.commit(hand)
        assert (first.answer, first.state, first.documents, first.backlog) == ("committed", "running", 2, 2)
        assert (await c.commit(hand)).backlog == 2
        last = await c.commit(hand)
        assert (last.answer, last.state, last.documents, last.backlog) == ("committed", "finished", 5, 5)
        assert await c.documents() == c.source.whole()
        row = await c.row()
        assert (row["pages"], row["fence"], row["worker"], row["until"]) == ("3", "", "", "0")
        assert int(row["bytes"]) == sum(len(d) for page in c.source.pages for d in page)
        ledger = await c.call("XRANGE", c.keys.ledger, "-", "+")
        assert [(place, fields[b"documents"]) for place, fields in ledger] == [
            (b"1-0", b"2"), (b"2-0", b"0"), (b"3-0", b"3")
        ]  # fmt: skip
        assert (ledger[0][1][b"cursor"], ledger[0][1][b"next"]) == (b"null", b'{"after":1}')
        assert await c.call("ZSCORE", DUE, c.keys.tag) is None


async def test_a_large_page_is_committed_in_parts(redis_url: str) -> None:
    async with case(redis_url, 5, 1) as c:
        await c.enqueue()
        hand = await c.lease()
        places: list[tuple[int, int]] = []
        while (await c.commit(hand, most=2)).state == "running":
            places.append(await c.position())
            assert await c.is_whole()
        assert places == [(1, 2), (1, 4), (2, 0)]
        assert await c.documents() == c.source.whole()
        row = await c.row()
        assert (row["pages"], row["documents"]) == ("2", "6")
        assert [fields[b"documents"] for _, fields in await c.call("XRANGE", c.keys.ledger, "-", "+")] == [b"5", b"1"]


async def test_who_goes_on_in_the_middle_of_a_page_knows_what_of_it_was_delivered(redis_url: str) -> None:
    async with case(redis_url, 4) as c:
        await c.enqueue()
        hand = await c.lease()
        await c.commit(hand, most=2)
        await c.scripts.release(c.keys, hand.fence, "queued")
        at = (await c.lease()).checkpoint
        assert (at.index, at.digest) == (2, digest(c.source.pages[0][:2]))


async def test_doubts_are_kept(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        for words in ("moved at-cap", "cap moved"):
            part = hand.part()
            await c.send(hand, replace(part, doubt=words, notice="the cursor died"))
            hand.checkpoint = part.after
        row = await c.row()
        assert (row["doubts"].split(), row["notice"]) == (["moved", "at-cap", "cap"], "the cursor died")


async def test_documents_arrive_as_they_are_with_their_keys_and_the_total(redis_url: str) -> None:
    odd = [b'{"a": 1.0,  "b":"\xff\x00"}', b"k1", b"", b"k\xc3\xa9"]
    async with case(redis_url, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        await c.send(hand, replace(hand.part(), arguments=odd, fields=2, total=0))
        entries = await c.call("XRANGE", c.keys.documents, "-", "+")
        assert [fields for _, fields in entries] == [{b"d": odd[0], b"k": odd[1]}, {b"d": odd[2], b"k": odd[3]}]
        assert (await c.row())["total"] == "0"


@pytest.mark.invariant("C-4")
async def test_the_same_commit_again_is_answered_committed_and_applied_once(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        for _ in range(2):
            part = hand.part()
            first = await c.send(hand, part)
            before = await c.dump()
            assert await c.send(hand, part) == first
            assert await c.dump() == before
            hand.checkpoint = part.after
        assert await c.documents() == c.source.whole()


async def test_the_same_yielding_commit_again_enqueues_once(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        await c.call("ZADD", QUEUE, 1, "another:0:1")
        part = hand.part("yield")
        assert (await c.send(hand, part)).state == "queued"
        before = await c.dump()
        again = await c.send(hand, part)
        assert (again.answer, again.state) == ("committed", "queued")
        assert await c.dump() == before
        await c.call("ZREM", QUEUE, "another:0:1")


async def test_a_slice_yields_only_when_someone_waits(redis_url: str) -> None:
    async with case(redis_url, 2, 2, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        assert (await c.commit(hand, "yield")).state == "running"
        await c.call("ZADD", QUEUE, await c.now() + HOUR, "later:0:1")
        assert (await c.commit(hand, "yield")).state == "running"
        await c.call("ZREM", QUEUE, "later:0:1")
        await c.scripts.release(c.keys, hand.fence, "queued")
        await c.call("ZADD", QUEUE, 1, "waiting:0:1")
        hand = await c.lease()
        part = replace(hand.part(), ending="yield")
        assert (await c.send(hand, part)).state == "queued"
        assert set(await c.jobs()) == {"waiting:0:1", "crawl:0:3"}
        await c.call("ZREM", QUEUE, "waiting:0:1")


@pytest.mark.invariant("C-2")
@pytest.mark.parametrize("fence", ["", "another", "FENCE"])
async def test_a_commit_with_another_fence_is_fenced(redis_url: str, fence: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        hand = await c.lease("fence")
        zombie = Hand(fence, hand.checkpoint, c.source)
        before = await c.dump()
        assert (await c.commit(zombie)).answer == "fenced"
        assert await c.dump() == before


@pytest.mark.invariant("C-2", "C-8")
async def test_a_zombie_is_fenced_by_its_successor(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        zombie = await c.lease()
        await c.run_out()
        assert await c.scripts.rescue(c.keys) == "rescued"
        assert (await c.commit(zombie)).answer == "fenced"  # queued: nobody has it
        successor = await c.lease()
        assert (await c.commit(zombie)).answer == "fenced"
        await c.finish(successor)
        assert (await c.commit(zombie)).answer == "fenced"
        assert await c.is_whole()


async def test_a_lease_that_ran_out_and_was_not_taken_over_still_commits(redis_url: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        await c.run_out()
        assert (await c.commit(hand)).answer == "committed"


@pytest.mark.invariant("C-3")
@pytest.mark.parametrize("change", [{"page": 2}, {"index": 1}, {"cursor": {"after": 9}}, {"cursor": ""}])
async def test_a_commit_from_elsewhere_is_a_conflict(redis_url: str, change: dict[str, object]) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        part = hand.part()
        before = await c.dump()
        assert (await c.send(hand, replace(part, before=replace(part.before, **change)))).answer == "conflict"
        assert await c.dump() == before


@pytest.mark.parametrize(("verb", "state"), [("pause", "paused"), ("cancel", "cancelled")])
async def test_a_commit_hears_that_it_is_paused_or_cancelled(redis_url: str, verb: Verb, state: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        assert await c.scripts.steer(c.keys, verb) == state
        before = await c.dump()
        committed = await c.commit(hand)
        assert (committed.answer, committed.state) == (state, state)
        assert await c.dump() == before


async def test_a_crawl_that_is_not_there_is_gone_and_nothing_is_written(redis_url: str) -> None:
    async with case(redis_url, 2) as c:
        assert (await c.commit(Hand("", Checkpoint(), c.source))).answer == "gone"
        assert await c.scripts.lease(c.keys, 1, "fence", LEASE, "worker") is None
        assert await c.scripts.renew(c.keys, "fence", LEASE) == "gone"
        assert await c.scripts.release(c.keys, "", "queued") == "fenced"
        assert await c.scripts.steer(c.keys, "resume") == "gone"
        assert await c.scripts.rescue(c.keys) == "over"
        await c.scripts.acknowledge(c.keys, "consumer", "1-0")
        assert await c.call("DBSIZE") == 0


async def test_cursors_are_compared_as_values(redis_url: str) -> None:
    async with case(redis_url, 1, 1) as c:
        await c.enqueue()
        hand = await c.lease()
        half = {"b": "\ud83d", "a": [1.0, 10**30, "é", None]}  # JSON can hold half a surrogate pair
        assert (await c.send(hand, replace(hand.part(), after=Checkpoint(2, 0, half)))).answer == "committed"
        await c.scripts.release(c.keys, hand.fence, "failed", reason="at \ud83d")
        assert (await c.row())["error"] == r"at \ud83d"
        await c.scripts.steer(c.keys, "resume")
        again = await c.lease()
        assert again.checkpoint.cursor == half
        other = dict(reversed(half.items()))
        again.checkpoint = replace(again.checkpoint, cursor=other)
        assert (await c.commit(again)).answer == "committed"


# Room in the stream


@pytest.mark.invariant("L-1", "L-2")
async def test_a_full_stream_takes_no_more(redis_url: str) -> None:
    async with case(redis_url, 3, 3, 0, 3) as c:
        await c.enqueue(backlog=4)
        hand = await c.lease()
        await c.commit(hand)
        assert (await c.commit(hand)).backlog == 6  # there was room for one
        assert (await c.commit(hand)).answer == "committed"  # an empty page needs none
        before = await c.dump()
        full = await c.commit(hand)
        assert (full.answer, full.state, full.backlog) == ("full", "running", 6)
        assert await c.dump() == before


async def test_without_a_limit_it_is_never_full(redis_url: str) -> None:
    async with case(redis_url, 3, 3, 3) as c:
        await c.enqueue(backlog=0)
        await c.finish(await c.lease())
        assert await c.is_whole()


@pytest.mark.invariant("C-16")
async def test_only_what_every_consumer_is_done_with_is_trimmed(redis_url: str) -> None:
    async with case(redis_url, 3, 3, 1, 1) as c:
        await c.enqueue(backlog=4)
        hand = await c.lease()
        await c.commit(hand)
        await c.commit(hand)
        await c.scripts.acknowledge(c.keys, "fast", "2-2", "note")
        await c.scripts.acknowledge(c.keys, "slow", "1-0")
        assert (await c.commit(hand)).answer == "full"
        assert [place for place, _ in await c.documents()] == ["1-1", "1-2", "2-0", "2-1", "2-2"]
        assert (await c.row())["trimmed"] == "1-0"
        await c.scripts.acknowledge(c.keys, "slow", "2-0")
        assert (await c.commit(hand)).backlog == 3
        assert [place for place, _ in await c.documents()] == ["2-1", "2-2", "3-0"]
        assert (await c.row())["trimmed"] == "2-0"


async def test_a_consumer_that_starts_late_does_not_hide_what_was_dropped(redis_url: str) -> None:
    async with case(redis_url, 3, 1, 1) as c:
        await c.enqueue(backlog=2)
        hand = await c.lease()
        await c.commit(hand)
        await c.scripts.acknowledge(c.keys, "early", "1-1")
        assert (await c.commit(hand)).answer == "committed"
        await c.scripts.acknowledge(c.keys, "late", "0-0")
        assert (await c.commit(hand)).answer == "full"
        assert (await c.row())["trimmed"] == "1-1"


async def test_a_stream_emptied_by_trimming_goes_on_with_the_next_id(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue(backlog=2)
        hand = await c.lease()
        await c.commit(hand)
        await c.scripts.acknowledge(c.keys, "consumer", "1-1")
        assert (await c.commit(hand)).backlog == 2
        assert [place for place, _ in await c.documents()] == ["2-0", "2-1"]


# What a torn write left


async def leave(c: Case, *places: str) -> None:
    """Entries behind the checkpoint, as a write that was torn leaves them."""
    for place in places:
        await c.call("XADD", c.keys.documents, place, "d", "torn")


@pytest.mark.invariant("C-6")
@pytest.mark.parametrize("places", [["2-0"], ["2-0", "2-1", "2-2"], ["2-1"], ["3-0"], ["2-0", "2-7", "9-3"]])
@pytest.mark.parametrize("before", [0, 3, 250])
async def test_torn_entries_are_removed_first(redis_url: str, places: list[str], before: int) -> None:
    async with case(redis_url, before, 3, 1) as c:
        await c.enqueue()
        hand = await c.lease()
        await c.commit(hand)
        await leave(c, *places)
        await c.call("XADD", c.keys.ledger, "2-0", "cursor", "torn")
        committed = await c.commit(hand)
        assert (committed.answer, committed.backlog) == ("committed", before + 3)
        assert await c.is_whole()
        ledger = await c.call("XRANGE", c.keys.ledger, "-", "+")
        assert [(place, fields[b"cursor"]) for place, fields in ledger] == [(b"1-0", b"null"), (b"2-0", b'{"after":1}')]
        await c.finish(hand)
        assert await c.is_whole()


async def test_torn_entries_behind_a_part_are_removed_first(redis_url: str) -> None:
    async with case(redis_url, 5) as c:
        await c.enqueue()
        hand = await c.lease()
        await c.commit(hand, most=2)
        await leave(c, "1-2", "1-3", "1-4")
        await c.commit(hand)
        assert await c.documents() == c.source.whole()


async def test_torn_entries_behind_an_empty_last_page_are_removed(redis_url: str) -> None:
    async with case(redis_url, 2, 0) as c:
        await c.enqueue()
        hand = await c.lease()
        await c.commit(hand)
        await leave(c, "2-0", "2-1")
        assert (await c.commit(hand)).backlog == 2
        assert await c.documents() == c.source.whole()


async def test_torn_entries_count_for_nothing_when_trimming_has_emptied_the_stream(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        await c.commit(hand)
        await leave(c, "2-0", "2-5")
        await c.call("XTRIM", c.keys.documents, "MAXLEN", 0)
        assert await c.documents() == []
        await c.commit(hand)
        assert await c.documents() == [("2-0", c.source.pages[1][0]), ("2-1", c.source.pages[1][1])]


async def test_torn_entries_that_a_consumer_acknowledged_are_removed(redis_url: str) -> None:
    async with case(redis_url, 2, 2, 2) as c:
        await c.enqueue(backlog=4)
        hand = await c.lease()
        await c.commit(hand)
        await leave(c, "2-0", "2-1", "2-2")
        await c.scripts.acknowledge(c.keys, "consumer", "2-2")
        assert (await c.commit(hand)).answer == "committed"
        assert [place for place, _ in await c.documents()] == ["2-0", "2-1"]
        await c.finish(hand)
