"""Rescues, snoozes and what wakes from them: a slice that nobody advances is put back, and no other."""

import pytest
from redis.exceptions import ResponseError

from pagefleet.keys import DUE, QUEUE
from tests.redis.actors import HOUR, LEASE, Case, Hand, case

# Jobs and leases


async def test_a_job_that_waits_its_turn_is_not_rescued_however_long_the_queue(redis_url: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue()
        for number in range(300):
            await c.call("ZADD", QUEUE, number, f"other{number}:0:1")
        for _ in range(5):
            await c.call("ZADD", DUE, 1, c.keys.tag)
            assert await c.scripts.rescue(c.keys) == "waiting"
            assert 5000 < await c.due() <= 6000
        assert (await c.row())["leases"] == "1"
        await c.call("ZREMRANGEBYSCORE", QUEUE, 0, 300)


@pytest.mark.parametrize("lost", ["from the queue", "its body", "both"])
async def test_a_job_that_arq_lost_is_rescued_once(redis_url: str, lost: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue()
        if lost in ("from the queue", "both"):
            await c.call("ZREM", QUEUE, "crawl:0:1")
        if lost in ("its body", "both"):
            await c.call("DEL", "arq:job:crawl:0:1")
        assert await c.scripts.rescue(c.keys) == "rescued"
        assert await c.jobs() == ["crawl:0:2"]
        assert await c.call("EXISTS", "arq:job:crawl:0:1", "arq:in-progress:crawl:0:1") == 0
        assert await c.scripts.rescue(c.keys) == "waiting"
        assert await c.scripts.lease(c.keys, 1, "late", LEASE, "worker") is None
        row = await c.row()
        assert row["rescued"] == "1"


@pytest.mark.invariant("O-6")
async def test_a_job_that_was_just_taken_is_left_alone_for_a_moment_by_all_schedulers(redis_url: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue()
        await c.claim()
        assert [await c.scripts.rescue(c.keys) for _ in range(3)] == ["waiting"] * 3
        assert 1000 < await c.due() <= 2000
        assert await c.scripts.lease(c.keys, 1, "fence", LEASE, "worker") is not None


async def test_a_job_whose_worker_died_before_its_lease_is_rescued(redis_url: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue()
        await c.claim()
        assert await c.scripts.rescue(c.keys) == "waiting"
        await c.run_out()
        assert await c.scripts.rescue(c.keys) == "rescued"
        assert await c.jobs() == ["crawl:0:2"]
        assert await c.call("EXISTS", "arq:job:crawl:0:1", "arq:in-progress:crawl:0:1") == 0
        await c.claim()
        assert await c.scripts.rescue(c.keys) == "waiting"  # the next one has its moment, too


async def test_a_lease_is_left_alone_until_it_ran_out(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        assert await c.scripts.rescue(c.keys) == "leased"
        assert 5000 < await c.due() <= 6000
        await c.run_out()
        assert await c.scripts.rescue(c.keys) == "rescued"
        row = await c.row()
        assert (row["state"], row["fence"], row["rescued"]) == ("queued", "", "1")
        assert (await c.commit(hand)).answer == "fenced"
        await c.commit(await c.lease())
        row = await c.row()
        assert row["rescued"] == "1"


# Snoozes


@pytest.mark.invariant("L-2")
async def test_a_snooze_is_left_alone_until_it_is_over(redis_url: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue()
        await c.scripts.release(c.keys, (await c.lease()).fence, "snoozed", 60.0, "later")
        assert 59_000 < await c.due() <= 60_000
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


@pytest.mark.invariant("L-2")
async def test_a_full_stream_snoozes_on_until_there_is_room(redis_url: str) -> None:
    async with case(redis_url, 2, 2, 2) as c:
        await snooze_for_room(c)
        await c.run_out()
        assert await c.scripts.rescue(c.keys) == "snoozed"
        assert 59_000 < await c.due() <= 60_000
        await c.scripts.acknowledge(c.keys, "consumer", "1-0")
        await c.run_out()
        assert await c.scripts.rescue(c.keys) == "enqueued"
        await c.finish(await c.lease())
        assert await c.is_whole()


async def test_an_acknowledgement_wakes_a_slice_that_waits_for_room(redis_url: str) -> None:
    async with case(redis_url, 2, 2, 2) as c:
        await snooze_for_room(c)
        await c.scripts.acknowledge(c.keys, "consumer", "1-0")
        assert await c.due() > 50_000  # three of four: not worth it yet
        assert await c.scripts.rescue(c.keys) == "snoozed"
        await c.scripts.acknowledge(c.keys, "slow", "0-0")
        await c.scripts.acknowledge(c.keys, "consumer", "1-1")
        assert await c.due() > 50_000  # somebody has read nothing yet
        await c.scripts.acknowledge(c.keys, "slow", "1-1", "its note")
        assert await c.due() <= 0
        assert await c.scripts.rescue(c.keys) == "enqueued"
        assert await c.call("HGET", c.keys.consumers, "slow") == b"1-1 its note"


async def test_an_acknowledgement_wakes_nothing_else(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue(backlog=4)
        hand = await c.lease()
        await c.commit(hand)
        await c.scripts.release(c.keys, hand.fence, "snoozed", 60.0, "HTTP 429")
        await c.scripts.acknowledge(c.keys, "consumer", "1-1")
        assert await c.due() > 50_000
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
        read = await c.now() - HOUR
        await c.call("HSET", c.keys.consumers, "unnamed-1", f"0-0 {read}")
        assert (await c.commit(hand)).answer == "committed"


@pytest.mark.parametrize("document", ["", "1", "1-", "-1", "x-1", "1-1 ", "1-1-1"])
async def test_only_an_id_can_be_acknowledged(redis_url: str, document: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue()
        with pytest.raises(ResponseError, match="no id of a document"):
            await c.scripts.acknowledge(c.keys, "consumer", document)
        assert await c.call("EXISTS", c.keys.consumers) == 0


# Redis' clock goes back by an hour, which is as if all that it noted lay an hour ahead


@pytest.mark.invariant("C-14")
async def test_after_the_clock_went_back_a_lease_has_run_out(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        await c.commit(await c.lease())
        ahead = await c.now() + HOUR
        await c.call("HSET", c.keys.slice, "until", ahead)
        await c.call("ZADD", DUE, ahead, c.keys.tag)
        assert await c.scripts.rescue(c.keys) == "rescued"
        assert 0 < await c.due() <= 6000


@pytest.mark.invariant("C-14")
async def test_after_the_clock_went_back_a_snooze_is_over(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        await c.scripts.release(c.keys, (await c.lease()).fence, "snoozed", 60.0, "later")
        ahead = await c.now() + HOUR
        await c.call("HSET", c.keys.slice, "until", ahead)
        await c.call("ZADD", DUE, ahead, c.keys.tag)
        assert await c.scripts.rescue(c.keys) == "enqueued"


@pytest.mark.invariant("C-14")
async def test_after_the_clock_went_back_a_job_may_start_at_once(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        ahead = await c.now() + HOUR
        await c.call("ZADD", QUEUE, ahead, "crawl:0:1")
        await c.call("ZADD", DUE, ahead, c.keys.tag)
        assert await c.scripts.rescue(c.keys) == "waiting"
        assert float(await c.call("ZSCORE", QUEUE, "crawl:0:1")) <= await c.now()
        assert 0 < await c.due() <= 6000


@pytest.mark.invariant("C-14")
async def test_after_the_clock_went_back_a_worker_goes_on(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        await c.call("HSET", c.keys.slice, "until", await c.now() + HOUR)
        assert await c.scripts.renew(c.keys, hand.fence, LEASE) == "running"
        assert await c.scripts.rescue(c.keys) == "leased"
        await c.finish(hand)
