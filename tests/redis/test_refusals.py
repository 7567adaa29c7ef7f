"""A Redis that refuses, forgets or is set up wrongly: all or nothing, and the same bytes again when it passes."""

import asyncio
import math
from typing import Any

import pytest
from redis.exceptions import ResponseError

from pagefleet.connection import check, open_pool
from pagefleet.errors import RedisUnusable
from pagefleet.keys import DUE, QUEUE, SliceKeys
from pagefleet.scripts import Ending, Scripts
from tests.redis.actors import LEASE, Case, calls, case, wait_until

# Commits


@pytest.mark.invariant("C-7")
@pytest.mark.parametrize("which", ["slice", "documents", "ledger", "consumers", "events", DUE, QUEUE])
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
        is_checked = which not in (DUE, QUEUE) and (which, ending) != ("events", "")  # which is then not looked at
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


@pytest.mark.invariant("C-7")
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


# Connections


@pytest.mark.invariant("S-11")
async def test_names_in_certificates_are_checked(redis_url: str) -> None:
    for options, is_checked in (("", True), ("?ssl_cert_reqs=none", False)):
        connection: Any = open_pool(f"rediss://host:1/0{options}").make_connection()  # type: ignore[no-untyped-call]
        assert connection.ssl_context.get().check_hostname is is_checked


@pytest.mark.invariant("O-1")
async def test_a_redis_that_forgets_is_refused(redis_url: str) -> None:
    async with case(redis_url) as c:
        await check(c.redis, redis_url)
        await c.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        try:
            with pytest.raises(RedisUnusable, match="allkeys-lru, which drops documents"):
                await check(c.redis, redis_url)
        finally:
            await c.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
