"""Documents that can never be had, and pages that go round in a circle, as a fleet meets them."""

import json
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from msgspec.structs import replace
from pagefleet_worker.advance import Station, advance
from pagefleet_worker.clients import Clients

from pagefleet.audit import audit
from pagefleet.crawl import Crawl
from pagefleet.fleet import Fleet, Handle
from pagefleet.settings import Settings
from pagefleet.states import State
from tests.redis.actors import Case, case, source


class Site:
    """Numbers below `count`, by offset and limit, or by a cursor that comes back to the start after `round` pages."""

    def __init__(self, count: int = 30, *, poison: set[int] | None = None, circle: int = 0) -> None:
        self.count, self.poison, self.circle, self.url = count, poison or set(), circle, ""
        self.most = 10_000

    def answer(self, params: dict[str, str]) -> tuple[int, Any]:
        if self.circle:
            number = int(params.get("cursor", "0"))
            return 200, {"data": [number], "next_cursor": str((number + 1) % self.circle or self.circle)}
        start, limit = int(params["offset"]), min(self.most, int(params["limit"]))
        found = range(start, min(start + limit, self.count))
        return (500, "Oh!") if self.poison & set(found) else (200, {"data": list(found)})


@contextmanager
def served(site: Site) -> Generator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, found = site.answer(dict(parse_qsl(urlsplit(self.path).query)))
            body = json.dumps(found).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}/"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@asynccontextmanager
async def worker(url: str) -> AsyncGenerator[Station]:
    async with Fleet(url) as fleet, Clients(Settings()) as clients:
        yield Station("worker", fleet, clients, Settings())


async def enqueued(station: Station, site: Site, paginate: dict[str, Any], **limits: int) -> tuple[Handle, Case]:
    said = {"url": site.url, "documents": "data", "paginate": paginate, "limits": {"attempts": 1, **limits}}
    handle = await station.fleet.enqueue(Crawl.model_validate(said))
    return handle, Case(station.fleet.redis, station.fleet.scripts, source(), handle.keys)


async def work(station: Station, here: Case) -> None:
    number = await here.claim()
    await advance({"station": station}, here.keys.tag, number)
    await here.drop(number)


async def numbers(here: Case) -> list[int]:
    return [json.loads(document) for _, document in await here.documents()]


OFFSET = {"kind": "offset", "limit_param": "limit", "limit": 10}


@pytest.mark.invariant("C-18")
async def test_a_poisonous_document_is_set_aside_and_replayed(redis_url: str) -> None:
    poison = {3, 14, 15}
    with served(Site(poison=set(poison))) as site:
        async with worker(redis_url) as station:
            handle, here = await enqueued(station, site, OFFSET)
            await work(station, here)
            status = await handle.status()
            assert (status.state, status.quarantined) == (State.FINISHED, 3)
            assert status.verdict is not None
            assert [word for word, _ in status.verdict.reasons] == ["quarantined"]
            assert await numbers(here) == [number for number in range(30) if number not in poison]
            assert [lost.cursor["$narrow"][0] for lost in await handle.quarantine()] == sorted(poison)
            assert all("the server answered 500" in lost.reason for lost in await handle.quarantine())
            site.poison = {15}
            assert await handle.replay() is State.QUEUED
            await work(station, here)
            status = await handle.status()
            assert (status.state, status.quarantined, status.documents) == (State.FINISHED, 1, 29)
            assert str(status.verdict).startswith("truncated: documents could not be had")
            site.poison.clear()
            await handle.replay()
            await work(station, here)
            assert (await numbers(here))[27:] == [3, 14, 15]
            status = await handle.status()
            assert (str(status.verdict), status.quarantined) == ("complete", 0)
            assert await handle.replay() is State.FINISHED


@pytest.mark.invariant("C-1")
@pytest.mark.parametrize(("poison", "most"), [({700}, 2000), (set[int](), 150), ({650}, 150)])
async def test_half_of_a_page_is_delivered_and_the_rest_comes_otherwise(
    redis_url: str, poison: set[int], most: int
) -> None:
    """There is no room for the second half; when there is, the server gives smaller pages, or fails at a document."""
    with served(Site(2000)) as site:
        async with worker(redis_url) as station:
            paginate = {"kind": "offset", "limit_param": "limit", "limit": 1200}
            handle, here = await enqueued(station, site, paginate, backlog=500)
            await work(station, here)
            assert (await numbers(here), (await handle.status()).pages) == ([*range(500)], 0)
            site.poison, site.most = poison, most
            read = [found async for batch in handle.batches(is_following=False) for found in batch]
            while (await handle.status()).state is not State.FINISHED:
                await handle.acknowledge("reader", read[-1].id)
                await here.run_out()
                await here.scripts.rescue(here.keys)
                await work(station, here)
                behind = handle.batches(read[-1].id, is_following=False)
                read += [found async for batch in behind for found in batch]
            assert [found.json() for found in read] == [number for number in range(2000) if number not in poison]
            words = [word for word, _ in (await audit(station.fleet, handle.id)).findings]
            assert words == (["quarantined"] if poison else [])


@pytest.mark.invariant("C-19")
@pytest.mark.parametrize("length", [1, 2, 3, 7, 16, 17])
async def test_a_circle_ends_across_workers(redis_url: str, length: int) -> None:
    """Each worker advances it by one page, so that none sees a page twice itself."""
    async with case(redis_url, *[1] * 100) as c:
        await c.enqueue()
        for number in range(100):
            hand = await c.lease()
            part = hand.part()
            round_ = number % length
            after = replace(part.after, cursor=f"cursor {round_}")
            committed = await c.send(hand, replace(part, digest=f"digest of {round_}", after=after))
            if committed.answer == "circle":
                assert number < 3 * length + 2
                return
            await c.scripts.release(c.keys, hand.fence, "queued")
    pytest.fail("it went round and round")


@pytest.mark.invariant("C-19")
async def test_a_crawl_that_goes_round_in_a_circle_fails(redis_url: str) -> None:
    with served(Site(circle=5)) as site:
        async with worker(redis_url) as station:
            handle, here = await enqueued(station, site, {"kind": "cursor"})
            await work(station, here)
            status = await handle.status()
            assert status.state is State.FAILED
            assert "the cursors go round in a circle" in status.error
            assert await numbers(here) == [0, 1, 2, 3, 4, 5]
