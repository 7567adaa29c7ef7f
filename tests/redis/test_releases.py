"""Two releases on one fleet: what a worker does not know it leaves to another, and nothing is lost by it."""

import json
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pagefleet_worker.advance import Station, advance
from pagefleet_worker.clients import Clients

from pagefleet.crawl import Crawl
from pagefleet.errors import LaterRelease
from pagefleet.fleet import Description, Fleet, Handle
from pagefleet.keys import SliceKeys
from pagefleet.keys import crawl as crawl_key
from pagefleet.page import Checkpoint, encode
from pagefleet.pages import Source, pages
from pagefleet.scripts import Part
from pagefleet.settings import Settings
from pagefleet.states import State
from tests.api import Api, api, description, document
from tests.redis.actors import Case, source

COUNT = 50


class Later(Fleet):
    """Of a release that knows the field `sparkle`, of crawls and of their paginators."""

    async def source(self, crawl_id: str) -> Source:
        redis: Any = self.redis  # redis-py types this for the synchronous client and this one at once
        said = json.loads(await redis.hget(crawl_key(crawl_id), "description"))
        said["paginate"].pop("sparkle", None)
        return Description.validate_python({name: value for name, value in said.items() if name != "sparkle"})


@pytest.fixture(name="server")
def _server() -> Generator[Api]:
    with api() as served:
        yield served


@asynccontextmanager
async def station(fleet: Fleet) -> AsyncGenerator[Station]:
    """A worker without its loop, of the fleet's release."""
    async with fleet, Clients(Settings()) as clients:
        yield Station("worker", fleet, clients, Settings())


async def enqueue(there: Station, said: Mapping[str, Any]) -> tuple[Handle, Case]:
    """As another release would, which has checked it."""
    scripts, keys = there.fleet.scripts, SliceKeys("crawl")
    assert await scripts.enqueue(keys, json.dumps({"kind": "crawl", **said}), "fingerprint", 0) == "new"
    return there.fleet.crawl("crawl"), Case(there.fleet.redis, scripts, source(), keys)


async def work(there: Station, c: Case, *more: object) -> None:
    """arq's part; `more` is what a later release says in its jobs."""
    number = await c.claim()
    await advance({"station": there}, c.keys.tag, number, *more)
    await c.drop(number)


async def look_again(c: Case) -> None:
    """The scheduler's part, when the time has come."""
    await c.run_out()
    assert await c.scripts.rescue(c.keys) == "enqueued"


async def assert_whole(handle: Handle) -> None:
    status = await handle.status()
    assert (status.state, status.rescued) == (State.FINISHED, 0)
    assert [found async for found in handle.documents()] == [document("x", number) for number in range(COUNT)]


UNKNOWN: dict[str, tuple[dict[str, Any], str]] = {
    "a field": ({"sparkle": 1}, "crawl.sparkle: Extra inputs are not permitted"),
    "a field of a paginator": (
        {"paginate": {"kind": "offset", "sparkle": True}},
        "crawl.paginate.offset.sparkle: Extra inputs are not permitted",
    ),
}


@pytest.mark.invariant("O-7")
@pytest.mark.parametrize("what", UNKNOWN)
async def test_a_description_with_something_unknown(redis_url: str, server: Api, what: str) -> None:
    """The worker puts it back with the reason, as often as it gets it, and one of the later release finishes it."""
    more, reason = UNKNOWN[what]
    async with station(Fleet(redis_url)) as here, station(Later(redis_url)) as later:
        handle, c = await enqueue(here, description(server.url, "x", count=COUNT) | more)
        for _ in range(12):
            await work(here, c)
            status = await handle.status()
            assert (status.state, status.cursor, status.worker) == (State.SNOOZED, None, "")
            assert reason in status.reason
            assert "it was enqueued by a later release, so run that here, too" in status.reason
            await look_again(c)
        assert not server.asked()
        with pytest.raises(LaterRelease, match="sparkle"):
            await here.fleet.source("crawl")
        await work(later, c)
        await assert_whole(handle)


@pytest.mark.invariant("O-7")
@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"kind": "dream"}, "Input tag 'dream' found"),
        ({"paginate": {"kind": "dream"}}, "crawl.paginate: Input tag 'dream' found"),
        ({"format": "dream"}, "crawl.format: Input should be "),
    ],
)
async def test_a_kind_that_is_unknown(redis_url: str, server: Api, more: dict[str, Any], reason: str) -> None:
    async with station(Fleet(redis_url)) as here:
        handle, c = await enqueue(here, description(server.url, "x", count=COUNT) | more)
        await work(here, c)
        status = await handle.status()
        assert (status.state, reason in status.reason) == (State.SNOOZED, True), status
        assert await handle.cancel() is State.CANCELLED


@pytest.mark.invariant("O-7")
@pytest.mark.parametrize("style", ["offset", "page", "cursor", "next_url"])
async def test_a_cursor_of_an_unknown_kind(redis_url: str, server: Api, style: str) -> None:
    """It is sent to nobody, and the slice stays where it is."""
    said = description(server.url, "x", style, count=COUNT, size=10)
    async with station(Fleet(redis_url)) as here, pages(Crawl.model_validate(said)) as walk:
        handle, c = await enqueue(here, said)
        first, hand = await anext(walk), await c.lease()
        await walk.aclose()
        after = Checkpoint(2, 0, {"$later": first.cursor})
        part = Part("first", hand.checkpoint, after, "", first.documents, digest=first.digest)
        assert (await c.send(hand, part)).answer == "committed"
        await c.scripts.release(c.keys, hand.fence, "queued")
        asked = len(server.asked())
        await work(here, c)
        status = await handle.status()
        assert (status.state, status.cursor, len(server.asked())) == (State.SNOOZED, after.cursor, asked)
        assert "going on from a cursor with $later: there is no such kind" in status.reason
        await look_again(c)
        await c.call("HSET", c.keys.slice, "cursor", encode(first.cursor))  # what the later release makes of it
        await work(here, c)
        await assert_whole(handle)


@pytest.mark.invariant("O-7")
async def test_rows_and_jobs_that_say_more(redis_url: str, server: Api) -> None:
    """What is not asked for does no harm, and stays."""
    async with station(Fleet(redis_url)) as here:
        handle, c = await enqueue(here, description(server.url, "x", count=COUNT))
        for name in (c.keys.slice, crawl_key("crawl")):
            await c.call("HSET", name, "sparkle", "1")
        event = json.loads(await c.call("HGET", c.keys.events, 1))
        await c.call("HSET", c.keys.events, 1, json.dumps(event | {"sparkle": 1}))
        await work(here, c, {"sparkle": 1})
        await assert_whole(handle)
        assert [told.what for told in await handle.events()] == ["enqueue", "lease", "commit the last page"]
        assert (await c.row())["sparkle"] == "1"
