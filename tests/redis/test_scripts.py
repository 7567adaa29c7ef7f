"""Each script by its typed signature: what it does, what it refuses, and that a second time does nothing.

The largest ones have files of their own: test_commit.py, test_rescue.py; and test_refusals.py for a Redis that cannot.
"""

import asyncio
import json

import pytest
from msgspec.structs import replace
from redis.exceptions import ResponseError

from pagefleet.keys import CRAWLS, QUEUE, SliceKeys, crawl
from pagefleet.page import Checkpoint
from pagefleet.scripts import Lease
from pagefleet.watch import digest
from tests.redis.actors import LEASE, Hand, Verb, case

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
        assert 0 < await c.due() <= 6000


@pytest.mark.invariant("C-9")
async def test_the_same_crawl_again_changes_nothing_and_another_is_refused(redis_url: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue()
        before = await c.dump()
        assert await c.scripts.enqueue(c.keys, "{}", "fingerprint", 0) == "same"
        assert await c.scripts.enqueue(c.keys, '{"other": 1}', "another", 9) == "other"
        assert await c.dump() == before


@pytest.mark.invariant("C-9")
async def test_enqueued_twenty_times_at_once_it_is_one_crawl_with_one_job(redis_url: str) -> None:
    async with case(redis_url, 2) as c:
        answers = await asyncio.gather(*(c.scripts.enqueue(c.keys, "{}", "fingerprint", 0) for _ in range(20)))
        assert sorted(answers) == ["new", *["same"] * 19]
        assert await c.jobs() == ["crawl:0:1"]


@pytest.mark.invariant("C-9")
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
        assert leased == Lease("fence", Checkpoint())
        assert await c.jobs() == []
        assert await c.call("EXISTS", f"arq:job:crawl:0:{number}", f"arq:in-progress:crawl:0:{number}") == 0
        assert 5000 < await c.due() <= 6000
        row = await c.row()
        assert (row["state"], row["fence"], row["worker"]) == ("running", "fence", "worker")


async def test_a_lease_is_given_again_to_whom_it_was_given(redis_url: str) -> None:
    async with case(redis_url, 2, 3) as c:
        await c.enqueue()
        hand = await c.lease("fence")
        before = await c.dump()
        again = await c.scripts.lease(c.keys, 1, "fence", LEASE, "worker")
        assert again == Lease("fence", hand.checkpoint)
        assert await c.dump() == before


async def test_a_lease_that_is_asked_for_again_has_another_fence(redis_url: str) -> None:
    async with case(redis_url, 2, 3) as c:
        await c.enqueue()
        first = await c.lease("name")
        again = await c.scripts.lease(c.keys, 1, "name.1", LEASE, "worker")  # as it is sent the second time
        assert again is not None
        assert again == Lease("name.1", first.checkpoint)
        assert (await c.commit(first)).answer == "fenced"
        before = await c.dump()
        assert await c.scripts.lease(c.keys, 1, "name", LEASE, "worker") is None  # the first one, at last
        assert await c.dump() == before
        assert (await c.commit(Hand(again.fence, again.checkpoint, c.source))).answer == "committed"


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
        assert leased == Lease("fence", Checkpoint(2, 2, {"after": 1}, 4, None, digest(c.source.pages[1][:2])))


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
        assert (leased.checkpoint.page, leased.checkpoint.total, leased.checkpoint.digest) == (2, 5, "d1")


# renew


async def test_a_renewed_lease_lasts_from_now(redis_url: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue()
        hand = await c.lease(seconds=1.0)
        assert await c.scripts.renew(c.keys, hand.fence, 60.0) == "running"
        left = int((await c.row())["until"]) - await c.now()
        assert 59_000 < left <= 60_000
        assert await c.scripts.renew(c.keys, "another", 90.0) == "fenced"
        assert int((await c.row())["until"]) - await c.now() <= 60_000


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
        assert 59_000 < await c.due() <= 60_000


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


@pytest.mark.invariant("C-8")
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
