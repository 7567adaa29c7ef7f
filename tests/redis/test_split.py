"""The split script: children come into being once, by one plan, whoever splits and whatever broke off before."""

import json
from dataclasses import replace

import pytest
from redis import Redis

from pagefleet import keys as key
from pagefleet.keys import DUE, QUEUE, SliceKeys
from pagefleet.page import Checkpoint
from pagefleet.scripts import Split
from tests.redis.actors import LEASE, Case, Hand, case
from tests.redis.remains import check_keys

PLAN = [[0, 5], [5, 10], [10, 12]]


def split(hand: Hand, parts: list[list[int]] = PLAN, total: int | None = 12) -> Split:
    return Split(f"{hand.fence[:16]}-split", hand.checkpoint, parts, total)


def children(c: Case, count: int = 3) -> list[SliceKeys]:
    return [SliceKeys(c.keys.crawl, f"{c.keys.number}.{n}") for n in range(count)]


async def row(c: Case, keys: SliceKeys) -> dict[str, str]:
    return await replace(c, keys=keys).row()


async def test_a_split_ends_the_slice_and_queues_its_children(redis_url: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue(backlog=9000)
        hand = await c.lease()
        assert await c.scripts.split(c.keys, split(hand), hand.fence, "worker") == ("committed", PLAN)
        whole = await c.row()
        assert (whole["state"], whole["documents"], whole["total"], whole["split"]) == ("finished", "0", "12", "3")
        assert (whole["fence"], whole["page"]) == ("", "1")
        assert await c.call("ZSCORE", DUE, c.keys.tag) is None
        for n, child in enumerate(children(c)):
            told = await row(c, child)
            assert (told["state"], told["leases"], told["page"], told["cursor"]) == ("queued", "1", "1", "null")
            assert (json.loads(told["bounds"]), told["backlog"]) == (PLAN[n], "3000")
        assert await c.jobs() == ["crawl:0.0:1", "crawl:0.1:1", "crawl:0.2:1"]
        job = json.loads(await c.call("GET", "arq:job:crawl:0.1:1"))
        assert (job["f"], job["a"]) == ("advance", ["crawl:0.1", 1])
        registry = await c.call("HGETALL", key.slices("crawl"))
        assert registry == {
            f"0.{n}".encode(): json.dumps(bounds, separators=(",", ":")).encode() for n, bounds in enumerate(PLAN)
        }


@pytest.mark.parametrize(("backlog", "share"), [(0, "0"), (100, "1000"), (300_000, "100000")])
async def test_children_share_the_backlog_but_none_is_starved(redis_url: str, backlog: int, share: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue(backlog=backlog)
        hand = await c.lease()
        await c.scripts.split(c.keys, split(hand), hand.fence, "worker")
        assert (await row(c, children(c)[0]))["backlog"] == share


@pytest.mark.invariant("C-4")
async def test_a_split_whose_reply_was_lost_changes_nothing_the_second_time(redis_url: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        await c.scripts.split(c.keys, split(hand), hand.fence, "worker")
        before = await c.dump()
        assert await c.scripts.split(c.keys, split(hand), hand.fence, "worker") == ("committed", PLAN)
        assert await c.dump() == before


@pytest.mark.invariant("C-2")
async def test_who_may_not_commit_may_not_split(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        hand = Hand("nobody", Checkpoint(), c.source)
        assert (await c.scripts.split(c.keys, split(hand), hand.fence, "worker"))[0] == "gone"
        await c.enqueue()
        hand = await c.lease()
        before = await c.dump()
        assert (await c.scripts.split(c.keys, split(hand), "another", "worker"))[0] == "fenced"
        ahead = replace(hand, checkpoint=Checkpoint(2, 0, {"after": 1}))
        assert (await c.scripts.split(c.keys, split(ahead), hand.fence, "worker"))[0] == "conflict"
        assert await c.dump() == before
        await c.scripts.steer(c.keys, "pause")
        assert (await c.scripts.split(c.keys, split(hand), hand.fence, "worker"))[0] == "paused"
        await c.scripts.steer(c.keys, "cancel")
        assert (await c.scripts.split(c.keys, split(hand), hand.fence, "worker"))[0] == "cancelled"
        assert await c.call("EXISTS", key.slices("crawl"), children(c)[0].slice) == 0


async def test_a_plan_that_is_there_counts(redis_url: str) -> None:
    """A write was torn behind it; by now the source declares another total, and the bounds would be others."""
    async with case(redis_url, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        await c.call("HSET", c.keys.slice, "plan", json.dumps(PLAN, separators=(",", ":")), "total", 12)
        before = await c.dump()
        assert await c.scripts.split(c.keys, split(hand, [[0, 6], [6, 13]], 13), hand.fence, "worker") == (
            "other",
            PLAN,
        )
        assert await c.dump() == before
        assert await c.scripts.split(c.keys, split(hand, PLAN, None), hand.fence, "worker") == ("committed", PLAN)
        assert (await c.row())["total"] == "12"


async def tear(c: Case, lacks: str) -> None:
    """Of three children take the third away, and of the second what is written last, up to this."""
    _, second, third = children(c)
    await c.call("DEL", third.slice, key.slices("crawl"), "arq:job:crawl:0.2:1")
    await c.call("ZREM", QUEUE, "crawl:0.2:1")
    await c.call("ZREM", DUE, third.tag)
    if lacks != "nothing":
        await c.call("ZREM", DUE, second.tag)
    if lacks in ("queue", "job", "state"):
        await c.call("ZREM", QUEUE, "crawl:0.1:1")
    if lacks in ("job", "state"):
        await c.call("DEL", "arq:job:crawl:0.1:1")
    if lacks == "state":
        await c.call("HDEL", second.slice, "state", "leases")


@pytest.mark.parametrize("lacks", ["nothing", "due", "queue", "job", "state"])
async def test_children_that_a_torn_write_left_are_made_whole_and_not_begun_again(redis_url: str, lacks: str) -> None:
    """The first is at work already, the second half there, the third not at all."""
    async with case(redis_url, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        snapshot = await c.call("DUMP", c.keys.slice)
        await c.scripts.split(c.keys, split(hand), hand.fence, "worker")
        first, second, third = children(c)
        one = await replace(c, keys=first).lease()
        assert (await replace(c, keys=first).send(one, one.part())).answer == "committed"
        await tear(c, lacks)
        await c.call("RESTORE", c.keys.slice, 0, snapshot, "REPLACE")
        await c.call("HSET", c.keys.slice, "plan", json.dumps(PLAN, separators=(",", ":")))
        delivered = await replace(c, keys=first).documents()
        assert await c.scripts.split(c.keys, split(hand), hand.fence, "worker") == ("committed", PLAN)
        assert await replace(c, keys=first).documents() == delivered
        assert (await row(c, first))["state"] == "finished"
        assert [(await row(c, child))["state"] for child in (second, third)] == ["queued", "queued"]
        with Redis.from_url(redis_url) as redis:
            check_keys(redis)
        for child in (second, third):
            there = replace(c, keys=child)
            await there.finish(await there.lease())
            assert await there.is_whole()


async def test_whoever_reads_the_crawl_reads_its_children_from_the_start(redis_url: str) -> None:
    """Nothing may be dropped before it is read: a consumer is known to a child before there is anything in it."""
    async with case(redis_url, 2) as c:
        await c.enqueue()
        await c.scripts.acknowledge(c.keys, "file", "0-0", "0")
        hand = await c.lease()
        await c.scripts.split(c.keys, split(hand), hand.fence, "worker")
        for child in children(c):
            assert await c.call("HGETALL", child.consumers) == {b"file": b"0-0 0"}


async def test_turns_of_children_come_one_after_the_other_and_stay_so(redis_url: str) -> None:
    """A crawl that is enqueued behind a split waits for few of its children: not for all."""
    async with case(redis_url, 2) as c:
        await c.enqueue()
        hand = await c.lease()
        await c.scripts.split(c.keys, split(hand), hand.fence, "worker")
        short = replace(c, keys=SliceKeys("short"))
        await short.enqueue()
        assert await c.jobs() == ["crawl:0.0:1", "short:0:1", "crawl:0.1:1", "crawl:0.2:1"]
        for child in children(c):
            assert await c.scripts.rescue(child) == "waiting"
        assert await c.jobs() == ["crawl:0.0:1", "short:0:1", "crawl:0.1:1", "crawl:0.2:1"]
        there = replace(c, keys=children(c)[2])
        leased = await there.lease(seconds=LEASE)
        await c.scripts.release(there.keys, leased.fence, "queued")
        first, *others, last = await c.jobs()
        assert (first, sorted(others), last) == ("crawl:0.0:1", ["crawl:0.2:2", "short:0:1"], "crawl:0.1:1")
