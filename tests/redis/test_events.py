"""What moved a slice: who, when, from which state to which, and why."""

import pytest

from pagefleet.errors import CrawlMissing
from pagefleet.events import KEPT
from pagefleet.fleet import Fleet
from pagefleet.keys import QUEUE
from pagefleet.states import State
from tests.redis.actors import case


@pytest.mark.invariant("O-4")
async def test_who_moved_it_and_why(redis_url: str) -> None:
    async with case(redis_url, 1, 1, 1) as c, Fleet(redis_url) as fleet:
        began = await c.now()
        await c.enqueue()
        hand = await c.lease()
        await c.commit(hand)
        await c.scripts.release(c.keys, hand.fence, "snoozed", 60.0, "the source asks for patience, ✓ \udc80")
        await c.run_out()
        await c.scripts.rescue(c.keys)
        await c.lease()
        await c.run_out()
        await c.scripts.rescue(c.keys)
        await c.call("ZADD", QUEUE, 1, "another:0:1")
        await c.commit(await c.lease(), "yield")
        await c.call("ZREM", QUEUE, "another:0:1")
        await c.scripts.steer(c.keys, "pause")
        await c.scripts.steer(c.keys, "resume")
        await c.finish(await c.lease())
        told = await fleet.crawl(c.keys.crawl).events()
        assert [(event.who, event.what, event.why) for event in told] == [
            ("person", "enqueue", ""),
            ("worker", "lease", "job 1"),
            ("worker", "release to snooze", "the source asks for patience, ✓ \\udc80"),
            ("scheduler", "rescue when due", "the source asks for patience, ✓ \\udc80"),
            ("worker", "lease", "job 2"),
            ("scheduler", "rescue when the lease ran out", "worker"),
            ("worker", "lease", "job 3"),
            ("worker", "commit and yield", "its turn was over, and others waited"),
            ("person", "pause", ""),
            ("person", "resume", ""),
            ("worker", "lease", "job 5"),
            ("worker", "commit the last page", "page 3"),
        ]
        assert (told[0].before, told[-1].after) == (None, State.FINISHED)
        moments = [event.at * 1000 for event in told]
        assert moments == sorted(moments)
        assert began <= moments[0] + 1
        assert moments[-1] <= await c.now()
        with pytest.raises(CrawlMissing):
            await fleet.crawl("nothing").events()


@pytest.mark.invariant("O-4")
async def test_the_last_events_are_kept(redis_url: str) -> None:
    async with case(redis_url, 1) as c:
        await c.enqueue()
        for _ in range(KEPT):
            await c.scripts.steer(c.keys, "pause")
            await c.scripts.steer(c.keys, "resume")
        await c.check_events()
        assert [event.number for event in await c.events()] == list(range(KEPT + 2, 2 * KEPT + 2))
        assert await c.call("HLEN", c.keys.events) == KEPT


@pytest.mark.invariant("O-4")
async def test_why_is_cut(redis_url: str) -> None:
    async with case(redis_url, 1) as c:
        await c.enqueue()
        hand = await c.lease()
        await c.scripts.release(c.keys, hand.fence, "failed", reason="x" * 499 + "é" * 1000)
        assert (await c.events())[-1].why == "x" * 499 + "\ufffd"
        assert (await c.row())["error"] == "x" * 499 + "é" * 1000


@pytest.mark.invariant("O-4")
async def test_an_event_that_a_torn_write_left_is_none(redis_url: str) -> None:
    async with case(redis_url, 1) as c:
        await c.enqueue()
        before = await c.events()
        await c.lease()
        await c.call("HSET", c.keys.slice, "state", "queued", "events", 1, "fence", "")
        assert await c.events() == before
        await c.scripts.steer(c.keys, "pause")
        await c.check_events()
        await c.scripts.steer(c.keys, "cancel")
