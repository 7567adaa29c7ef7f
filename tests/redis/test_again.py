"""A crawl that is deleted and enqueued again, by the same name: nothing of the first one gets into the second."""

import pytest

from pagefleet import Crawl, Fleet
from pagefleet.keys import CRAWLS
from pagefleet.keys import crawl as crawl_key
from pagefleet.scripts import Part
from tests.redis.actors import Case, case


async def delete(c: Case) -> None:
    """What README.md says, of a crawl in one slice: all keys that have its id; its worker is not told."""
    await c.scripts.steer(c.keys, "cancel")
    await c.call("DEL", crawl_key(c.keys.crawl), *c.keys.all()[:6])
    await c.call("ZREM", CRAWLS, c.keys.crawl)


@pytest.mark.invariant("C-8")
@pytest.mark.parametrize("committed", [0, 1, 3])
async def test_a_late_commit_of_a_deleted_crawl_is_fenced_by_the_next_one(redis_url: str, committed: int) -> None:
    """Also where the next one stands at that very page."""
    async with case(redis_url, 2, 2, 2) as c:
        await c.enqueue()
        old, parts = await c.lease(), list[Part]()
        for _ in c.source.pages:
            parts.append(old.part())
            old.checkpoint = parts[-1].after
        for part in parts[:committed]:
            assert (await c.send(old, part)).answer == "committed"
        await delete(c)
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


async def test_a_deleted_crawl_that_is_still_in_the_list_hides_no_other(redis_url: str) -> None:
    async with case(redis_url, 1) as c, Fleet(redis_url) as fleet:
        await c.call("ZADD", CRAWLS, 1, "gone")
        assert await fleet.crawls() == []
        handle = await fleet.enqueue(Crawl.model_validate({"url": "http://a.example/", "paginate": {"kind": "none"}}))
        assert [status.id for status in await fleet.crawls()] == [handle.id]
        await handle.cancel()
