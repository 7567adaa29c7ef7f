"""A crawl that is deleted and enqueued again, by the same name: nothing of the first one gets into the second."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Literal

import pytest
from redis.asyncio import Redis

from pagefleet import Crawl, CrawlGoesOn, CrawlMissing, Fleet
from pagefleet import keys as key
from pagefleet.keys import CRAWLS, QUEUE, SliceKeys
from pagefleet.scripts import Part, Scripts, Split
from tests.redis.actors import Case, Hand, case

PLAN = [[0, 1], [1, 2], [2, 3]]
CRAWL = Crawl.model_validate({"url": "http://a.example/", "paginate": {"kind": "none"}, "name": "crawl"})


async def delete(c: Case) -> None:
    """As it is done; its worker is not told."""
    await c.scripts.steer(c.keys, "cancel")
    assert await c.scripts.delete(c.keys, (await c.row())["incarnation"]) == "deleted"


async def delete_the_row(c: Case) -> None:
    """By hand, and not all of it."""
    await c.call("DEL", key.crawl(c.keys.crawl))


@pytest.mark.invariant("C-8")
@pytest.mark.parametrize("way", [delete, delete_the_row])
@pytest.mark.parametrize("committed", [0, 1, 3])
async def test_a_late_commit_of_a_deleted_crawl_is_fenced_by_the_next_one(
    redis_url: str, committed: int, way: Callable[[Case], Awaitable[None]]
) -> None:
    """Also where the next one stands at that very page."""
    async with case(redis_url, 2, 2, 2) as c:
        await c.enqueue()
        old, parts = await c.lease(), list[Part]()
        for _ in c.source.pages:
            parts.append(old.part())
            old.checkpoint = parts[-1].after
        for part in parts[:committed]:
            assert (await c.send(old, part)).answer == "committed"
        await way(c)
        await c.enqueue()
        new = await c.lease()
        while await c.state() == "running":
            before = await c.dump()
            for part in parts:
                assert (await c.send(old, part)).answer == "fenced"
            assert await c.dump() == before
            await c.commit(new)
        for part in parts:
            assert (await c.send(old, part)).answer == "fenced"
        assert await c.documents() == c.source.whole()


async def split(c: Case) -> Hand:
    hand = await c.lease()
    answer, _ = await c.scripts.split(
        c.keys, Split(f"{hand.fence[:16]}-split", hand.checkpoint, PLAN), hand.fence, "worker"
    )
    assert answer == "committed"
    return hand


def child(c: Case, number: str) -> Case:
    return Case(c.redis, c.scripts, c.source, SliceKeys(c.keys.crawl, number))


@pytest.mark.invariant("C-8")
async def test_children_that_a_deleted_crawl_left_behind_begin_afresh(redis_url: str) -> None:
    """By hand, one forgets them. One was finished, one is at work yet, one has not begun."""
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        await split(c)
        done, held, waiting = (child(c, f"0.{n}") for n in range(3))
        await done.finish(await done.lease())
        old = await held.lease()
        await held.commit(old)
        late = old.part()
        await c.call("DEL", key.crawl("crawl"), *c.keys.own())
        await c.enqueue()
        assert await c.call("EXISTS", key.slices("crawl")) == 0
        await split(c)
        for one in (done, held, waiting):
            assert (await one.state(), await one.position(), await one.documents()) == ("queued", (1, 0), [])
            assert (await held.send(old, late)).answer == "fenced"
            hand = await one.lease()
            assert (await held.send(old, late)).answer == "fenced"
            await one.finish(hand)
            assert await one.is_whole()


async def test_a_slice_that_was_left_behind_is_not_walked(redis_url: str) -> None:
    """It may be none of the next crawl, whose plan is another."""
    async with case(redis_url, 2) as c, Fleet(redis_url) as fleet:
        await c.enqueue()
        await split(c)
        assert await fleet.bounds(SliceKeys("crawl", "0.1")) == ("[1,2]", [])
        await c.call("DEL", key.crawl("crawl"), *c.keys.own())
        await c.enqueue()
        assert await fleet.bounds(c.keys) == (None, [])
        with pytest.raises(CrawlMissing, match=r"looking up crawl:0\.1: its crawl was deleted"):
            await fleet.bounds(SliceKeys("crawl", "0.1"))
        for number in range(3):
            await c.scripts.steer(SliceKeys("crawl", f"0.{number}"), "cancel")


async def test_of_a_deleted_crawl_nothing_is_left(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c, Fleet(redis_url) as fleet:
        await c.enqueue()
        handle = fleet.crawl("crawl")
        await split(c)
        for number in range(2):
            one = child(c, f"0.{number}")
            await one.finish(await one.lease())
        assert await handle.consumers() == {}
        with pytest.raises(CrawlGoesOn, match="deleting crawl: it is queued; cancel it first"):
            await handle.delete()
        last = child(c, "0.2")
        held = await last.lease()
        await last.commit(held)
        with pytest.raises(CrawlGoesOn, match="it is running"):
            await handle.delete()
        await c.scripts.steer(last.keys, "pause")
        with pytest.raises(CrawlGoesOn, match="it is paused"):
            await handle.delete()
        assert await child(c, "0.0").documents() != []
        await handle.cancel()
        await c.call("ZADD", QUEUE, 1, "crawl:0:1")  # a torn split may leave this
        await c.call("SET", "arq:job:crawl:0:1", "x")
        await handle.delete()
        assert await c.call("KEYS", "*") == []
        with pytest.raises(CrawlMissing):
            await handle.delete()


async def test_what_broke_off_when_it_was_enqueued_can_be_deleted(redis_url: str) -> None:
    """Its row has no state yet."""
    async with case(redis_url, 2) as c, Fleet(redis_url) as fleet:
        await c.call("HSET", c.keys.slice, "page", 1, "incarnation", "x")
        await fleet.crawl("crawl").delete()
        assert await c.call("KEYS", "*") == []


class Interrupted(Scripts):
    """Before the delete of one slice something happens."""

    def __init__(self, redis: Redis, number: str, happening: Callable[[], Awaitable[None]]) -> None:
        super().__init__(redis, 1.0)
        self._number, self._happening = number, happening

    async def delete(self, slice_: SliceKeys, incarnation: str) -> Literal["deleted", "other"]:
        if slice_.number == self._number:
            await self._happening()
        return await super().delete(slice_, incarnation)


async def fail_all(c: Case) -> None:
    await split(c)
    for number in range(3):
        held = await child(c, f"0.{number}").lease()
        await c.scripts.release(SliceKeys("crawl", f"0.{number}"), held.fence, "failed", reason="why")


@pytest.mark.parametrize("number", ["0", "0.0", "0.2"])
async def test_a_slice_that_is_resumed_while_its_crawl_is_deleted(redis_url: str, number: str) -> None:
    """Whoever holds it delivers nothing more, and nothing is left."""
    async with case(redis_url, 2, 2) as c, Fleet(redis_url) as fleet:
        await c.enqueue()
        await fail_all(c)
        one, held = child(c, "0.2"), list[Hand]()

        async def resume() -> None:
            await c.scripts.steer(one.keys, "resume")
            held.append(await one.lease())
            await one.commit(held[0])

        fleet.scripts = Interrupted(fleet.redis, number, resume)
        await fleet.crawl("crawl").delete()
        assert (await one.send(held[0], held[0].part())).answer == "gone"
        assert await c.call("KEYS", "*") == []


class Killed(Exception):
    """In the middle of a command."""


@pytest.mark.invariant("C-8")
@pytest.mark.parametrize("number", ["0", "0.0", "0.1", "0.2"])
@pytest.mark.parametrize("then", ["delete", "enqueue"])
async def test_a_deletion_that_broke_off(redis_url: str, number: str, then: str) -> None:
    """The crawl is there, or it is not; what is left of it gets into no other, and can be deleted."""
    async with case(redis_url, 2) as c, Fleet(redis_url) as fleet:
        await c.enqueue()
        await fail_all(c)

        async def kill() -> None:
            raise Killed

        scripts, fleet.scripts = fleet.scripts, Interrupted(fleet.redis, number, kill)
        with pytest.raises(Killed):
            await fleet.crawl("crawl").delete()
        fleet.scripts = scripts
        handle = fleet.crawl("crawl")
        if number != "0":
            with pytest.raises(CrawlMissing):
                await handle.status()
            assert await fleet.crawls() == []
        if then == "delete" or number == "0":
            await handle.delete()
            assert await c.call("KEYS", "*") == []
        await c.enqueue()
        await fail_all(c)
        for one in (child(c, f"0.{n}") for n in range(3)):
            assert (await one.position(), await one.documents()) == ((1, 0), [])
        await handle.delete()
        assert await c.call("KEYS", "*") == []


@pytest.mark.invariant("C-8")
@pytest.mark.parametrize("number", ["0", "0.0", "0.2"])
async def test_a_deletion_that_slept_does_not_touch_the_next_crawl(redis_url: str, number: str) -> None:
    async with case(redis_url, 2) as c, Fleet(redis_url) as fleet, Fleet(redis_url) as other:
        await c.enqueue()
        await fail_all(c)
        there: list[bytes] = []

        async def another() -> None:
            await other.crawl("crawl").delete()
            await c.enqueue()
            await split(c)
            one = child(c, "0.0")
            await one.finish(await one.lease())
            there.extend(sorted(await c.dump()))

        fleet.scripts = Interrupted(fleet.redis, number, another)
        await fleet.crawl("crawl").delete()
        assert sorted(await c.dump()) == there
        assert await child(c, "0.0").is_whole()
        await other.crawl("crawl").cancel()


@pytest.mark.invariant("C-8")
async def test_a_reader_that_slept_does_not_mix_two_crawls(redis_url: str) -> None:
    """Nor does what it was done with count for the next one."""
    async with case(redis_url, 2, 2) as c, Fleet(redis_url) as fleet:
        await c.enqueue()
        hand = await c.lease()
        await c.commit(hand)
        async with aclosing(fleet.crawl("crawl").documents("reader")) as documents:
            assert (await anext(documents)).id == "1-0"
            await delete(c)
            await c.enqueue()
            await c.finish(await c.lease())
            await anext(documents)  # it had this one already
            with pytest.raises(CrawlMissing, match="deleted meanwhile, and another one has the name"):
                await anext(documents)
        assert await fleet.crawl("crawl").consumers() == {}
        assert [one async for one in fleet.crawl("crawl").documents("reader")] == [one for _, one in c.source.whole()]


async def test_a_deleted_crawl_that_is_still_in_the_list_hides_no_other(redis_url: str) -> None:
    async with case(redis_url, 1) as c, Fleet(redis_url) as fleet:
        await c.call("ZADD", CRAWLS, 1, "gone")
        assert await fleet.crawls() == []
        handle = await fleet.enqueue(CRAWL)
        assert [status.id for status in await fleet.crawls()] == [handle.id]
        await handle.cancel()
