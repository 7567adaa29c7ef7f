"""Each script by its typed signature: what it does, what it refuses, and that a second time does nothing."""

import asyncio
import json
import math
from dataclasses import replace
from typing import Any, Literal

import pytest
from redis.exceptions import ResponseError

from pagefleet.connection import check, open_pool
from pagefleet.errors import RedisUnusable
from pagefleet.keys import CRAWLS, DUE, QUEUE, SliceKeys, crawl
from pagefleet.page import Checkpoint
from pagefleet.scripts import Ending, Scripts
from tests.redis.actors import LEASE, Case, Hand, calls, case, wait_until

Verb = Literal["pause", "resume", "cancel"]

FAR = 3_600_000
"""An hour in ms: as far as Redis' clock may jump."""


async def now(c: Case) -> int:
    seconds, microseconds = await c.call("TIME")
    return int(seconds) * 1000 + int(microseconds) // 1000


async def due(c: Case) -> float:
    """In ms from now."""
    return float(await c.call("ZSCORE", DUE, c.keys.tag)) - await now(c)


# enqueue


async def test_a_crawl_is_enqueued_with_its_first_job(redis_url: str) -> None:
    async with case(redis_url, 2) as c:
        assert await c.scripts.enqueue(c.keys, '{"a": 1}', "fingerprint", 7) == "new"
        row = await c.row()
        assert (row["state"], row["page"], row["index"], row["cursor"]) == ("queued", "1", "0", "null")
        assert (row["backlog"], row["leases"], row["documents"]) == ("7", "1", "0")
        assert await c.call("HGET", crawl("crawl"), "description") == b'{"a": 1}'
        assert await c.call("ZRANGE", CRAWLS, 0, -1) == [b"crawl"]
        assert await c.jobs() == ["crawl:0:1"]
        job = json.loads(await c.call("GET", "arq:job:crawl:0:1"))
        assert (job["f"], job["a"], job["k"], job["t"]) == ("advance", ["crawl:0", 1], {}, None)
        assert 0 < await due(c) <= 6000


async def test_the_same_crawl_again_changes_nothing_and_another_is_refused(redis_url: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue()
        before = await c.dump()
        assert await c.scripts.enqueue(c.keys, "{}", "fingerprint", 0) == "same"
        assert await c.scripts.enqueue(c.keys, '{"other": 1}', "another", 9) == "other"
        assert await c.dump() == before


async def test_enqueued_twenty_times_at_once_it_is_one_crawl_with_one_job(redis_url: str) -> None:
    async with case(redis_url, 2) as c:
        answers = await asyncio.gather(*(c.scripts.enqueue(c.keys, "{}", "fingerprint", 0) for _ in range(20)))
        assert sorted(answers) == ["new", *["same"] * 19]
        assert await c.jobs() == ["crawl:0:1"]


async def test_an_enqueue_that_broke_off_is_made_good_by_the_next(redis_url: str) -> None:
    async with case(redis_url, 2) as c:
        await c.call("SET", CRAWLS, "no zset")
        with pytest.raises(ResponseError, match="WRONGTYPE"):
            await c.enqueue()
        await c.call("DEL", CRAWLS)
        await c.enqueue()
        await c.finish(await c.lease())
        assert await c.is_whole()
        await c.call("DEL", "arq:job:crawl:0:1")
        await c.call("ZREM", QUEUE, "crawl:0:1")  # arq would have found it stale


# lease


async def test_a_lease_tells_where_to_go_on_and_takes_the_job_from_arq(redis_url: str) -> None:
    async with case(redis_url, 2, 3) as c:
        await c.enqueue()
        number = await c.claim()
        leased = await c.scripts.lease(c.keys, number, "fence", LEASE, "worker")
        assert leased == Checkpoint()
        assert await c.jobs() == []
        assert await c.call("EXISTS", f"arq:job:crawl:0:{number}", f"arq:in-progress:crawl:0:{number}") == 0
        assert 5000 < await due(c) <= 6000
        row = await c.row()
        assert (row["state"], row["fence"], row["worker"]) == ("running", "fence", "worker")


async def test_a_lease_is_given_again_to_whom_it_was_given(redis_url: str) -> None:
    async with case(redis_url, 2, 3) as c:
        await c.enqueue()
        hand = await c.lease("fence")
        before = await c.dump()
        again = await c.scripts.lease(c.keys, 1, "fence", LEASE, "worker")
        assert again is not None
        assert again == hand.checkpoint
        assert await c.dump() == before


@pytest.mark.parametrize("number", [0, 1, 2, 3])
async def test_only_the_latest_number_leases_and_only_once(redis_url: str, number: int) -> None:
    async with case(redis_url, 2, 3) as c:
        await c.enqueue()
        await c.scripts.release(c.keys, (await c.lease()).fence, "queued")
        assert (await c.row())["leases"] == "2"
        leased = await c.scripts.lease(c.keys, number, "fence", LEASE, "worker")
        assert (leased is not None) == (number == 2)
        before = await c.dump()
        assert await c.scripts.lease(c.keys, number, "another", LEASE, "another") is None
        assert await c.dump() == before


async def test_a_lease_goes_on_behind_the_last_commit(redis_url: str) -> None:
    async with case(redis_url, 2, 3, 1) as c:
        await c.enqueue()
        hand = await c.lease()
        await c.commit(hand)
        await c.commit(hand, most=2)
        await c.scripts.release(c.keys, hand.fence, "snoozed", 0.0, "why not")
        assert await c.scripts.rescue(c.keys) == "enqueued"
        leased = await c.scripts.lease(c.keys, 2, "fence", LEASE, "worker")
        assert leased == Checkpoint(2, 2, {"after": 1}, 4)


async def test_a_lease_knows_the_declared_total_and_the_page_before(redis_url: str) -> None:
    """Both decide how a crawl ends, also behind a rescue."""
    async with case(redis_url, 2, 3) as c:
        await c.enqueue()
        hand = await c.lease()
        part = replace(hand.part(), total=5, digest="d1")
        assert (await c.scripts.commit(c.keys, part, hand.fence, LEASE, "worker")).answer == "committed"
        await c.scripts.release(c.keys, hand.fence, "queued")
        leased = await c.scripts.lease(c.keys, await c.claim(), "fence", LEASE, "worker")
        assert leased is not None
        assert (leased.page, leased.total, leased.digest) == (2, 5, "d1")


# commit


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
        assert (row["pages"], row["documents"], "drifts" in row) == ("2", "6", False)
        assert [fields[b"documents"] for _, fields in await c.call("XRANGE", c.keys.ledger, "-", "+")] == [b"5", b"1"]


async def test_a_page_that_changed_between_its_parts_is_counted(redis_url: str) -> None:
    async with case(redis_url, 4) as c:
        await c.enqueue()
        hand = await c.lease()
        await c.commit(hand, most=2)
        await c.send(hand, replace(hand.part(), digest="of something else"))
        assert (await c.row())["drifts"] == "1"


async def test_a_doubt_about_the_end_is_kept(redis_url: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        await c.send(hand, replace(hand.part(), doubt="nothing stood there"))
        assert (await c.row())["doubt"] == "nothing stood there"


async def test_documents_arrive_as_they_are_with_their_keys_and_the_total(redis_url: str) -> None:
    odd = [b'{"a": 1.0,  "b":"\xff\x00"}', b"k1", b"", b"k\xc3\xa9"]
    async with case(redis_url, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        await c.send(hand, replace(hand.part(), arguments=odd, fields=2, total=0))
        entries = await c.call("XRANGE", c.keys.documents, "-", "+")
        assert [fields for _, fields in entries] == [{b"d": odd[0], b"k": odd[1]}, {b"d": odd[2], b"k": odd[3]}]
        assert (await c.row())["total"] == "0"


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
        await c.call("ZADD", QUEUE, await now(c) + FAR, "later:0:1")
        assert (await c.commit(hand, "yield")).state == "running"
        await c.call("ZREM", QUEUE, "later:0:1")
        await c.scripts.release(c.keys, hand.fence, "queued")
        await c.call("ZADD", QUEUE, 1, "waiting:0:1")
        hand = await c.lease()
        part = replace(hand.part(), ending="yield")
        assert (await c.send(hand, part)).state == "queued"
        assert set(await c.jobs()) == {"waiting:0:1", "crawl:0:3"}
        await c.call("ZREM", QUEUE, "waiting:0:1")


@pytest.mark.parametrize("fence", ["", "another", "FENCE"])
async def test_a_commit_with_another_fence_is_fenced(redis_url: str, fence: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        hand = await c.lease("fence")
        zombie = Hand(fence, hand.checkpoint, c.source)
        before = await c.dump()
        assert (await c.commit(zombie)).answer == "fenced"
        assert await c.dump() == before


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


@pytest.mark.parametrize("change", [{"page": 2}, {"index": 1}, {"cursor": {"after": 9}}, {"cursor": ""}])
async def test_a_commit_from_elsewhere_is_a_conflict(redis_url: str, change: dict[str, object]) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        part = hand.part()
        before = await c.dump()
        assert (await c.send(hand, replace(part, before=replace(part.before, **change)))).answer == "conflict"  # type: ignore[arg-type]
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


# commit: room in the stream


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


# commit: what a torn write left


async def leave(c: Case, *places: str) -> None:
    """Entries behind the checkpoint, as a write that was torn leaves them."""
    for place in places:
        await c.call("XADD", c.keys.documents, place, "d", "torn")


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


# commit: when Redis refuses


@pytest.mark.parametrize("which", ["slice", "documents", "ledger", "consumers", DUE, QUEUE])
@pytest.mark.parametrize("ending", ["", "yield", "last"])
async def test_documents_and_checkpoint_never_separate(redis_url: str, which: str, ending: Ending) -> None:
    """A wrong type on each key in turn: nothing or all, and all when the commit is sent again after the repair."""
    async with case(redis_url, 2, 2, *([2] if ending != "last" else [])) as c:
        await c.enqueue(backlog=2)
        hand = await c.lease()
        await c.commit(hand)
        await c.scripts.acknowledge(c.keys, "consumer", "1-1")
        await c.call("ZADD", QUEUE, 1, "another:0:1")
        part, name = hand.part(ending), getattr(c.keys, which, which)
        await c.call("RENAME", name, "aside")
        await c.call("SET", name, "neither hash nor stream nor zset")
        is_checked = which not in (DUE, QUEUE)
        if is_checked or ending == "yield" or (which, ending) == (DUE, "last"):
            with pytest.raises(ResponseError, match=r"WRONGTYPE|not a stream"):
                await c.send(hand, part)
        else:
            await c.send(hand, part)
        await c.call("RENAME", "aside", name)
        assert await c.is_whole()
        is_unmoved = await c.position() == (part.before.page, part.before.index)
        assert is_unmoved == is_checked
        assert (await c.send(hand, part)).answer == "committed"
        assert await c.position() == (part.after.page, part.after.index)
        assert await c.is_whole()
        await c.call("ZREM", QUEUE, "another:0:1")
        await c.scripts.steer(c.keys, "cancel")
        await c.scripts.rescue(c.keys)  # what a scheduler does with a slice that is over, and still due


REFUSALS = {
    "OOM": (["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"]),
    "NOREPLICAS": (["CONFIG", "SET", "min-replicas-to-write", "1"], ["CONFIG", "SET", "min-replicas-to-write", "0"]),
    "READONLY": (["REPLICAOF", "127.0.0.1", "1"], ["REPLICAOF", "NO", "ONE"]),
}


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_commit_that_redis_refuses_for_now_is_sent_again(redis_url: str, refusal: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        part = hand.part()
        begin, end = REFUSALS[refusal]
        await c.call(*begin)
        try:
            with pytest.raises(RedisUnusable, match="check Redis and try again"):
                await Scripts(c.redis, 0.0).commit(c.keys, part, hand.fence, LEASE, "worker")
            before = await calls(c, "evalsha")
            sending = asyncio.create_task(c.send(hand, part))
            await wait_until(lambda: is_above(c, before + 1))
            assert await c.documents() == []
            assert await c.position() == (1, 0)
        finally:
            await c.call(*end)
        assert (await sending).answer == "committed"
        assert await c.is_whole()


async def is_above(c: Case, before: int) -> bool:
    return await calls(c, "evalsha") > before


async def test_a_script_that_redis_forgot_is_loaded_again(redis_url: str) -> None:
    async with case(redis_url, 2, 2, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        await c.commit(hand)
        await c.call("SCRIPT", "FLUSH")
        await c.finish(hand)
        assert await c.is_whole()


async def test_a_commit_waits_for_a_redis_that_is_busy(redis_url: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        await c.call("CONFIG", "SET", "lua-time-limit", 1)
        looping = asyncio.create_task(c.call("EVAL", "while true do end", 0))
        await wait_until(lambda: is_busy(c))
        sending = asyncio.create_task(c.commit(hand))
        assert await is_busy(c)
        await c.call("SCRIPT", "KILL")
        with pytest.raises(ResponseError, match="killed"):
            await looping
        assert (await sending).answer == "committed"
        await c.call("CONFIG", "SET", "lua-time-limit", 5000)


async def is_busy(c: Case) -> bool:
    try:
        await c.call("PING")
    except ResponseError as error:
        return str(error).startswith("BUSY")
    return False


async def test_a_crawl_may_be_called_after_an_error(redis_url: str) -> None:
    """A fault that does not pass is raised at once, whatever words it quotes."""
    async with case(redis_url, 2, patience=math.inf) as c:
        c.keys = SliceKeys("BUSY")
        await c.enqueue()
        hand = await c.lease()
        await c.call("SET", c.keys.ledger, "no stream")
        with pytest.raises(ResponseError, match="not a stream"):
            await c.commit(hand)
        await c.call("DEL", c.keys.ledger)
        await c.finish(hand)


# renew


async def test_a_renewed_lease_lasts_from_now(redis_url: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue()
        hand = await c.lease(seconds=1.0)
        assert await c.scripts.renew(c.keys, hand.fence, 60.0) == "running"
        left = int((await c.row())["until"]) - await now(c)
        assert 59_000 < left <= 60_000
        assert await c.scripts.renew(c.keys, "another", 90.0) == "fenced"
        assert int((await c.row())["until"]) - await now(c) <= 60_000


@pytest.mark.parametrize(("verb", "state"), [("pause", "paused"), ("cancel", "cancelled")])
async def test_a_renewal_hears_that_it_is_paused_or_cancelled(redis_url: str, verb: Verb, state: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        await c.scripts.steer(c.keys, verb)
        before = await c.dump()
        assert await c.scripts.renew(c.keys, hand.fence, LEASE) == state
        assert await c.dump() == before


async def test_a_commit_renews_too(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        hand = await c.lease(seconds=0.001)
        await c.send(hand, hand.part(), seconds=60.0)
        assert await c.scripts.rescue(c.keys) == "leased"
        assert 59_000 < await due(c) <= 60_000


# release


async def test_a_released_slice_is_queued_with_a_new_job(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        await c.commit(hand)
        assert await c.scripts.release(c.keys, hand.fence, "queued") == "released"
        assert (await c.state(), await c.jobs()) == ("queued", ["crawl:0:2"])
        before = await c.dump()
        assert await c.scripts.release(c.keys, hand.fence, "queued") == "fenced"  # the reply was lost
        assert await c.dump() == before
        assert (await c.lease()).checkpoint.page == 2


async def test_a_snooze_has_a_reason_and_an_end(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        assert await c.scripts.release(c.keys, hand.fence, "snoozed", 0.0, "later") == "released"
        row = await c.row()
        assert (row["state"], row["reason"], row["fence"]) == ("snoozed", "later", "")
        assert await c.scripts.rescue(c.keys) == "enqueued"


async def test_a_failed_slice_keeps_its_checkpoint_and_its_error(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        await c.commit(hand)
        assert await c.scripts.release(c.keys, hand.fence, "failed", reason="HTTP 404") == "released"
        row = await c.row()
        assert (row["state"], row["error"], row["page"]) == ("failed", "HTTP 404", "2")
        assert await c.scripts.release(c.keys, hand.fence, "queued") == "fenced"
        assert await c.state() == "failed"


async def test_a_release_does_not_wake_what_is_paused_or_cancelled(redis_url: str) -> None:
    verbs: list[tuple[Verb, str]] = [("pause", "paused"), ("cancel", "cancelled")]
    async with case(redis_url, 2) as c:
        await c.enqueue()
        for verb, state in verbs:
            hand = await c.lease()
            await c.scripts.steer(c.keys, verb)
            assert await c.scripts.release(c.keys, hand.fence, "queued") == "released"
            row = await c.row()
            assert (row["state"], row["fence"], await c.jobs()) == (state, "", [])
            await c.scripts.steer(c.keys, "resume")


# rescue


async def test_a_job_that_waits_its_turn_is_not_rescued_however_long_the_queue(redis_url: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue()
        for number in range(300):
            await c.call("ZADD", QUEUE, number, f"other{number}:0:1")
        for _ in range(5):
            await c.call("ZADD", DUE, 1, c.keys.tag)
            assert await c.scripts.rescue(c.keys) == "waiting"
            assert 5000 < await due(c) <= 6000
        assert (await c.row())["leases"] == "1"
        await c.call("ZREMRANGEBYSCORE", QUEUE, 0, 300)


@pytest.mark.parametrize("lost", ["from the queue", "its body", "both", "in progress"])
async def test_a_job_that_arq_lost_is_rescued_once(redis_url: str, lost: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue()
        if lost in ("from the queue", "both"):
            await c.call("ZREM", QUEUE, "crawl:0:1")
        if lost in ("its body", "both"):
            await c.call("DEL", "arq:job:crawl:0:1")
        if lost == "in progress":
            await c.claim()  # by a worker that was killed before it leased
        assert await c.scripts.rescue(c.keys) == "rescued"
        assert await c.jobs() == ["crawl:0:2"]
        assert await c.call("EXISTS", "arq:job:crawl:0:1", "arq:in-progress:crawl:0:1") == 0
        assert await c.scripts.rescue(c.keys) == "waiting"
        assert await c.scripts.lease(c.keys, 1, "late", LEASE, "worker") is None
        row = await c.row()
        assert row["rescued"] == "1"


async def test_a_lease_is_left_alone_until_it_ran_out(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        assert await c.scripts.rescue(c.keys) == "leased"
        assert 5000 < await due(c) <= 6000
        await c.run_out()
        assert await c.scripts.rescue(c.keys) == "rescued"
        row = await c.row()
        assert (row["state"], row["fence"], row["rescued"]) == ("queued", "", "1")
        assert (await c.commit(hand)).answer == "fenced"
        await c.commit(await c.lease())
        row = await c.row()
        assert row["rescued"] == "1"


async def test_a_snooze_is_left_alone_until_it_is_over(redis_url: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue()
        await c.scripts.release(c.keys, (await c.lease()).fence, "snoozed", 60.0, "later")
        assert 59_000 < await due(c) <= 60_000
        assert await c.scripts.rescue(c.keys) == "snoozed"
        await c.run_out()
        assert await c.scripts.rescue(c.keys) == "enqueued"
        assert (await c.state(), await c.jobs()) == ("queued", ["crawl:0:2"])
        assert "rescued" not in await c.row()


async def test_a_snooze_that_due_forgot_is_over(redis_url: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue()
        await c.scripts.release(c.keys, (await c.lease()).fence, "snoozed", 60.0, "later")
        await c.call("ZREM", DUE, c.keys.tag)
        assert await c.scripts.rescue(c.keys) == "enqueued"


@pytest.mark.parametrize("state", ["paused", "cancelled", "failed", "finished"])
async def test_what_is_over_or_paused_is_left_alone(redis_url: str, state: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        if state == "finished":
            await c.finish(hand)
        elif state == "failed":
            await c.scripts.release(c.keys, hand.fence, "failed", reason="HTTP 404")
        else:
            await c.scripts.steer(c.keys, "pause" if state == "paused" else "cancel")
        await c.call("ZADD", DUE, 1, c.keys.tag)
        assert await c.scripts.rescue(c.keys) == "over"
        assert await c.state() == state
        assert await c.call("ZSCORE", DUE, c.keys.tag) is None


async def snooze_for_room(c: Case) -> Hand:
    """A slice whose stream is full of two pages, four documents, of a limit of four."""
    await c.enqueue(backlog=4)
    hand = await c.lease()
    await c.commit(hand)
    await c.commit(hand)
    assert (await c.commit(hand)).answer == "full"
    await c.scripts.release(c.keys, hand.fence, "snoozed", 60.0, "backlog")
    return hand


async def test_a_full_stream_snoozes_on_until_there_is_room(redis_url: str) -> None:
    async with case(redis_url, 2, 2, 2) as c:
        await snooze_for_room(c)
        await c.run_out()
        assert await c.scripts.rescue(c.keys) == "snoozed"
        assert 59_000 < await due(c) <= 60_000
        await c.scripts.acknowledge(c.keys, "consumer", "1-0")
        await c.run_out()
        assert await c.scripts.rescue(c.keys) == "enqueued"
        await c.finish(await c.lease())
        assert await c.is_whole()


async def test_an_acknowledgement_wakes_a_slice_that_waits_for_room(redis_url: str) -> None:
    async with case(redis_url, 2, 2, 2) as c:
        await snooze_for_room(c)
        await c.scripts.acknowledge(c.keys, "consumer", "1-0")
        assert await due(c) > 50_000  # three of four: not worth it yet
        assert await c.scripts.rescue(c.keys) == "snoozed"
        await c.scripts.acknowledge(c.keys, "slow", "0-0")
        await c.scripts.acknowledge(c.keys, "consumer", "1-1")
        assert await due(c) > 50_000  # somebody has read nothing yet
        await c.scripts.acknowledge(c.keys, "slow", "1-1", "its note")
        assert await due(c) <= 0
        assert await c.scripts.rescue(c.keys) == "enqueued"
        assert await c.call("HGET", c.keys.consumers, "slow") == b"1-1 its note"


async def test_an_acknowledgement_wakes_nothing_else(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue(backlog=4)
        hand = await c.lease()
        await c.commit(hand)
        await c.scripts.release(c.keys, hand.fence, "snoozed", 60.0, "HTTP 429")
        await c.scripts.acknowledge(c.keys, "consumer", "1-1")
        assert await due(c) > 50_000
        assert await c.scripts.rescue(c.keys) == "snoozed"
        assert len(await c.documents()) == 2  # nothing is dropped before there is need


async def test_an_acknowledgement_that_comes_late_takes_nothing_back(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        for document, note in (("1-1", "a"), ("1-0", "b"), ("0-0", "c"), ("1-1", "d"), ("2-0", "e"), ("1-9", "f")):
            await c.scripts.acknowledge(c.keys, "consumer", document, note)
        assert await c.call("HGET", c.keys.consumers, "consumer") == b"2-0 e"
        await c.scripts.steer(c.keys, "cancel")


async def test_an_acknowledgement_makes_room_when_redis_has_no_memory_left(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        await c.commit(hand)
        await c.scripts.acknowledge(c.keys, "consumer", "0-0")
        await c.call("CONFIG", "SET", "maxmemory", 1)
        try:
            await c.scripts.acknowledge(c.keys, "consumer", "1-0")
        finally:
            await c.call("CONFIG", "SET", "maxmemory", 0)
        assert await c.call("HGET", c.keys.consumers, "consumer") == b"1-0 "
        assert [place for place, _ in await c.documents()] == ["1-1"]
        assert await c.is_whole()


async def test_a_reader_without_a_name_holds_up_nobody_for_ever(redis_url: str) -> None:
    async with case(redis_url, 2, 2, 2) as c:
        await c.enqueue(backlog=2)
        hand = await c.lease()
        await c.commit(hand)
        await c.scripts.acknowledge(c.keys, "named", "1-1")
        await c.scripts.acknowledge(c.keys, "unnamed-1", "0-0")
        assert (await c.commit(hand)).answer == "full"
        read = await now(c) - FAR
        await c.call("HSET", c.keys.consumers, "unnamed-1", f"0-0 {read}")
        assert (await c.commit(hand)).answer == "committed"


@pytest.mark.parametrize("document", ["", "1", "1-", "-1", "x-1", "1-1 ", "1-1-1"])
async def test_only_an_id_can_be_acknowledged(redis_url: str, document: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue()
        with pytest.raises(ResponseError, match="no id of a document"):
            await c.scripts.acknowledge(c.keys, "consumer", document)
        assert await c.call("EXISTS", c.keys.consumers) == 0


# rescue: Redis' clock goes back by an hour, which is as if all that it noted lay an hour ahead


async def test_after_the_clock_went_back_a_lease_has_run_out(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        await c.commit(await c.lease())
        ahead = await now(c) + FAR
        await c.call("HSET", c.keys.slice, "until", ahead)
        await c.call("ZADD", DUE, ahead, c.keys.tag)
        assert await c.scripts.rescue(c.keys) == "rescued"
        assert 0 < await due(c) <= 6000


async def test_after_the_clock_went_back_a_snooze_is_over(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        await c.scripts.release(c.keys, (await c.lease()).fence, "snoozed", 60.0, "later")
        ahead = await now(c) + FAR
        await c.call("HSET", c.keys.slice, "until", ahead)
        await c.call("ZADD", DUE, ahead, c.keys.tag)
        assert await c.scripts.rescue(c.keys) == "enqueued"


async def test_after_the_clock_went_back_a_job_may_start_at_once(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        ahead = await now(c) + FAR
        await c.call("ZADD", QUEUE, ahead, "crawl:0:1")
        await c.call("ZADD", DUE, ahead, c.keys.tag)
        assert await c.scripts.rescue(c.keys) == "waiting"
        assert float(await c.call("ZSCORE", QUEUE, "crawl:0:1")) <= await now(c)
        assert 0 < await due(c) <= 6000


async def test_after_the_clock_went_back_a_worker_goes_on(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        await c.call("HSET", c.keys.slice, "until", await now(c) + FAR)
        assert await c.scripts.renew(c.keys, hand.fence, LEASE) == "running"
        assert await c.scripts.rescue(c.keys) == "leased"
        await c.finish(hand)


# steer


async def test_pause_takes_the_job_away_and_resume_brings_a_new_one(redis_url: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue()
        assert await c.scripts.steer(c.keys, "pause") == "paused"
        assert await c.jobs() == []
        assert await c.call("EXISTS", "arq:job:crawl:0:1") == 0
        assert await c.scripts.lease(c.keys, 1, "fence", LEASE, "worker") is None
        assert await c.scripts.steer(c.keys, "pause") == "paused"
        assert await c.scripts.steer(c.keys, "resume") == "queued"
        assert await c.scripts.steer(c.keys, "resume") == "queued"
        assert await c.jobs() == ["crawl:0:2"]


async def test_a_worker_that_has_not_heard_of_the_pause_is_fenced_after_the_resume(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        deaf = await c.lease()
        await c.scripts.steer(c.keys, "pause")
        await c.scripts.steer(c.keys, "resume")
        assert (await c.commit(deaf)).answer == "fenced"
        await c.finish(await c.lease())
        assert await c.is_whole()


async def test_resume_after_a_failure_forgets_it(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        await c.commit(hand)
        await c.scripts.release(c.keys, hand.fence, "failed", reason="HTTP 404")
        assert await c.scripts.steer(c.keys, "resume") == "queued"
        row = await c.row()
        assert (row["error"], row["reason"], "finished" in row) == ("", "", False)
        await c.finish(await c.lease())
        assert await c.is_whole()


async def test_what_is_cancelled_or_finished_stays_so(redis_url: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue()
        await c.finish(await c.lease())
        verbs: list[Verb] = ["pause", "resume", "cancel"]
        assert [await c.scripts.steer(c.keys, verb) for verb in verbs] == ["finished"] * 3
        c.keys = SliceKeys("second")
        await c.enqueue()
        assert await c.scripts.steer(c.keys, "cancel") == "cancelled"
        assert await c.jobs() == []
        assert [await c.scripts.steer(c.keys, verb) for verb in verbs] == ["cancelled"] * 3


# the connection


async def test_names_in_certificates_are_checked(redis_url: str) -> None:
    for options, is_checked in (("", True), ("?ssl_cert_reqs=none", False)):
        connection: Any = open_pool(f"rediss://host:1/0{options}").make_connection()  # type: ignore[no-untyped-call]
        assert connection.ssl_context.get().check_hostname is is_checked


async def test_a_redis_that_forgets_is_refused(redis_url: str) -> None:
    async with case(redis_url) as c:
        await check(c.redis, redis_url)
        await c.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        try:
            with pytest.raises(RedisUnusable, match="allkeys-lru, which drops documents"):
                await check(c.redis, redis_url)
        finally:
            await c.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
