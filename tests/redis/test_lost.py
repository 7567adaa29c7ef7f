"""Replies and requests that get lost between a worker and Redis, through the real client: each page arrives once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace
from pagefleet_worker.slice import Slice
from redis.exceptions import ConnectionError as RedisConnectionError

from pagefleet.connection import open_pool
from pagefleet.errors import RedisUnusable
from pagefleet.keys import SliceKeys
from pagefleet.page import Page
from pagefleet.scripts import Scripts, source
from pagefleet.settings import Settings
from pagefleet.tasks import fast_loop
from tests.proxy import Fault, Proxy
from tests.redis.actors import LEASE, Case, case, while_running

NAMES = ("enqueue", "lease", "commit", "renew", "release", "rescue", "steer", "acknowledge")


@asynccontextmanager
async def apart(url: str, *sizes: int) -> AsyncGenerator[tuple[Proxy, Case, Case]]:
    """A crawl as a test sees it, and as a worker behind a proxy does. Redis knows the scripts: none is sent twice."""
    async with Proxy.to(url) as proxy, case(url, *sizes) as here, case(proxy.url, *sizes) as there:
        for name in NAMES:
            await here.call("SCRIPT", "LOAD", source(name))
        await here.enqueue()
        yield proxy, here, there


def arm(proxy: Proxy, fault: str, needle: bytes) -> Fault:
    return proxy.lose_reply(needle) if fault == "reply" else proxy.swallow(needle)


@pytest.mark.invariant("C-4")
@pytest.mark.parametrize("fault", ["reply", "request"])
async def test_a_commit_is_sent_again_until_it_is_answered(redis_url: str, fault: str) -> None:
    async with apart(redis_url, 2, 3, 1) as (proxy, here, there):
        hand = await here.lease()
        for _ in here.source.pages:
            part = hand.part()
            lost = arm(proxy, fault, part.commit.encode())
            committed = await there.send(hand, part)
            await lost.happened()
            hand.checkpoint = replace(part.after, documents=committed.documents)
            assert (committed.answer, committed.documents) == ("committed", len(await here.documents()))
            assert await here.is_whole()
        assert await here.documents() == here.source.whole()
        assert (await here.row())["pages"] == "3"


@pytest.mark.parametrize("fault", ["reply", "request"])
async def test_each_step_may_get_lost_once(redis_url: str, fault: str) -> None:
    async with apart(redis_url, 1, 1) as (proxy, here, there):
        lost = [arm(proxy, fault, b"the fence")]
        leased = await there.scripts.lease(there.keys, await here.claim(), "the fence", LEASE, "worker")
        assert leased is not None
        assert leased.fence == "the fence.1"
        lost.append(arm(proxy, fault, b"the fence"))
        assert await there.scripts.renew(there.keys, leased.fence, LEASE) == "running"
        lost.append(arm(proxy, fault, b"the fence"))
        released = await there.scripts.release(there.keys, leased.fence, "snoozed", 0.0, "later")
        assert released == ("fenced" if fault == "reply" else "released")
        lost.append(arm(proxy, fault, b"crawl:0"))
        assert await there.scripts.rescue(there.keys) == ("waiting" if fault == "reply" else "enqueued")
        lost.append(arm(proxy, fault, b"pause"))
        assert await there.scripts.steer(there.keys, "pause") == "paused"
        lost.append(arm(proxy, fault, b"resume"))
        assert await there.scripts.steer(there.keys, "resume") == "queued"
        lost.append(arm(proxy, fault, b"reader"))
        await there.scripts.acknowledge(there.keys, "reader", "1-0")
        for each in lost:
            await each.happened()
        assert (await here.row())["leases"] == "3"
        assert await here.jobs() == ["crawl:0:3"]


@pytest.mark.invariant("C-9")
async def test_an_enqueue_whose_reply_was_lost_made_one_crawl(redis_url: str) -> None:
    async with apart(redis_url, 1) as (proxy, here, there):
        there.keys = SliceKeys("second")
        proxy.lose_reply(b"the description")
        assert await there.scripts.enqueue(there.keys, "the description", "fingerprint", 0) == "same"
        assert await here.jobs() == ["crawl:0:1", "second:0:1"]


@pytest.mark.invariant("C-4")
async def test_a_late_commit_changes_nothing(redis_url: str) -> None:
    """It was on its way when the connection broke, and comes when it has been sent again and others have followed."""
    async with apart(redis_url, 2, 2, 2) as (proxy, here, there):
        hand = await here.lease()
        part = hand.part()
        late = proxy.hold(part.commit.encode())
        sending = there.scripts.commit(there.keys, part, hand.fence, LEASE, "worker")
        async with while_running(sending) as committing:
            await late.happened()
            proxy.hang_up()
            assert (await committing).answer == "committed"
        hand.checkpoint = replace(part.after, documents=2)
        await here.commit(hand)
        before = await here.row()
        await late.let_go()
        assert await here.row() == before
        await here.finish(hand)
        assert await here.is_whole()


@pytest.mark.invariant("C-2")
async def test_a_zombies_commit_that_comes_late_is_fenced(redis_url: str) -> None:
    async with apart(redis_url, 2, 2) as (proxy, here, there):
        zombie = await here.lease()
        part = zombie.part()
        late = proxy.hold(part.commit.encode())
        sending = Scripts(there.redis, 0.0).commit(there.keys, part, zombie.fence, LEASE, "worker")
        async with while_running(sending) as committing:
            await late.happened()
            proxy.hang_up()
            with pytest.raises(RedisUnusable, match="running the commit script"):
                await committing
        await here.run_out()
        await here.scripts.rescue(here.keys)
        successor = await here.lease()
        await late.let_go()
        assert await here.documents() == []
        await here.finish(successor)
        assert await here.is_whole()


@pytest.mark.invariant("C-4")
async def test_a_worker_does_not_notice_what_gets_lost(redis_url: str) -> None:
    """The worker's own `Slice`: pages in, a large one among them, and each first reply and second request lost."""
    async with apart(redis_url, 3, 1200, 0, 2) as (proxy, here, there):
        proxy.lose_reply(b"the worker")
        held = await Slice.lease(there.scripts, there.keys, await here.claim(), Settings(), "the worker")
        assert held is not None
        async with held.in_hand():
            for number, documents in enumerate(here.source.pages, 1):
                lost = [proxy.lose_reply(b"the worker"), proxy.swallow(b"the worker")]
                is_last = number == len(here.source.pages)
                await held.commit(Page(documents, here.source.cursor(number + 1), size=10, is_last=is_last))
                for each in lost:
                    await each.happened()
                assert await here.is_whole()
            assert held.is_over
            assert held.checkpoint.documents == 1205
        assert (await here.row())["pages"] == "4"


@pytest.mark.invariant("C-4")
@pytest.mark.parametrize("is_fast", [False, True], ids=["asyncio", "uvloop"])
def test_a_connection_that_was_closed_meanwhile_is_opened_again(redis_url: str, is_fast: bool) -> None:
    """uvloop has an error of its own for it, and workers ended by that."""

    async def lost() -> None:
        pool: Any = open_pool(redis_url)  # typed as the synchronous one
        connection = await pool.get_connection()

        async def ping() -> Any:
            await connection.send_command("PING")
            return await connection.read_response()

        assert await ping() == b"PONG"
        connection._writer.transport.abort()
        await asyncio.sleep(0)
        with pytest.raises(RedisConnectionError):
            await ping()
        assert await ping() == b"PONG"
        await pool.disconnect()

    with asyncio.Runner(loop_factory=fast_loop() if is_fast else None) as runner:
        runner.run(lost())
