"""A worker between Redis and the source: when Redis forgets, when a page cannot be had, when a page is large."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pagefleet_worker.advance import Station, advance
from pagefleet_worker.clients import Clients
from pagefleet_worker.slice import Halted, Slice

from pagefleet.crawl import Crawl
from pagefleet.fleet import Fleet
from pagefleet.page import Page
from pagefleet.pages import pages
from pagefleet.settings import Settings
from tests.api import Api, api, description, document
from tests.hostile import ROWS, hostile
from tests.hostile.outcome import CURSOR, crawl
from tests.proxy import Fault, Proxy
from tests.redis.actors import HOUR, Case, case, while_running

PAGES = 40
SPARE = 16 * 1024
"""Bytes of a commit beside its documents: the script's name, keys, cursors."""


@pytest.fixture(name="server")
def _server() -> Generator[Api]:
    with api() as served:
        yield served


@asynccontextmanager
async def worker(url: str) -> AsyncGenerator[Station]:
    """A worker without its loop: what arq would give it is given to it."""
    async with Fleet(url) as fleet, Clients(Settings()) as clients:
        yield Station("worker", fleet, clients, Settings())


async def work(station: Station, c: Case) -> None:
    """arq's part: the job that waits, from the claim to its end."""
    number = await c.claim()
    await advance({"station": station}, c.keys.tag, number)
    await c.drop(number)


async def go_back(c: Case, before: dict[bytes, bytes]) -> None:
    """Redis, to an earlier state, and in one step: no renewal may meet an empty one."""
    async with c.redis.pipeline(transaction=True) as pipe:
        pipe.flushall()
        for name, value in before.items():
            pipe.restore(name, HOUR if name.startswith(b"arq:") else 0, value)
        await pipe.execute()


@pytest.mark.invariant("C-5")
@pytest.mark.parametrize("forgotten", ["pages", "pages and the lease"])
async def test_a_worker_ahead_of_redis_asks_the_source_for_nothing_more(
    redis_url: str, server: Api, forgotten: str
) -> None:
    """It has the sixth page in hand and the seventh on its way, when Redis forgets what came before."""
    said = description(server.url, "x", count=10 * PAGES, size=10)
    async with Proxy.to(redis_url) as proxy, worker(proxy.url) as there, case(redis_url) as c:
        handle = await there.fleet.enqueue(Crawl.model_validate({**said, "name": "forgotten"}))
        c.keys = handle.keys
        number = await c.claim()
        before = await c.dump()
        third, sixth = proxy.hold(document("x", 20)), proxy.hold(document("x", 50))
        async with while_running(advance({"station": there}, c.keys.tag, number)) as advancing:
            await third.happened()
            if forgotten == "pages":
                before = await c.dump()
            await third.let_go()
            await sixth.happened()
            await server.has_been_asked(7)
            await go_back(c, before)
            await sixth.let_go()
            await advancing
        assert len(server.asked()) == 7
        assert await c.state() == "queued"
        await c.drop(number)
        await work(there, c)
        assert [found for _, found in await c.documents()] == [document("x", n) for n in range(10 * PAGES)]
        assert await c.state() == "finished"


BROKEN = "/p22-broken-body?as="


@pytest.mark.invariant("C-18")
@pytest.mark.parametrize(
    ("path", "said"),
    [
        (f"{BROKEN}comma", "the page is not JSON"),
        (f"{BROKEN}bytes", "the page is not UTF-8"),
        (f"{BROKEN}half", "at each of 1 attempts"),
        ("/p21-error-in-200?as=html", "the page is not JSON"),
        ("/p21-error-in-200?as=alone", "no 'data' in the page"),
        ("/p27-poison-record", "the server answered 500"),
    ],
)
async def test_a_page_that_cannot_be_had_fails_its_crawl_and_is_not_skipped(
    redis_url: str, path: str, said: str
) -> None:
    with hostile() as served:
        async with worker(redis_url) as station, case(redis_url) as c:
            handle = await station.fleet.enqueue(crawl(served, path, CURSOR, limits={"attempts": 1}))
            c.keys = handle.keys
            await work(station, c)
            status = await handle.status()
            assert (status.state, status.cursor, status.worker) == ("failed", "10", "")
            assert said in status.error
            assert path.partition("?")[0] in status.error
            assert [found for _, found in await c.documents()] == ROWS[:10]
            assert await c.position() == (2, 0)


@pytest.mark.invariant("C-18")
async def test_a_page_that_is_too_large_fails_its_crawl_and_is_not_skipped(redis_url: str, server: Api) -> None:
    """The first page just fits; the numbers of the second page's documents have a digit more."""
    said = description(server.url, "x", count=100, size=10)
    async with worker(redis_url) as station, case(redis_url) as c:
        (page,) = [one async for one in pages(Crawl.model_validate({**said, "paginate": {"kind": "none"}}))]
        most = page.size
        handle = await station.fleet.enqueue(Crawl.model_validate({**said, "limits": {"body": most}}))
        c.keys = handle.keys
        await work(station, c)
        status = await handle.status()
        assert (status.state, status.cursor) == ("failed", 10)
        assert f"larger than limits.body = {most} bytes" in status.error
        assert [found for _, found in await c.documents()] == [document("x", number) for number in range(10)]


@pytest.mark.invariant("L-9")
@pytest.mark.parametrize(("count", "size"), [(1700, 20), (40, 100_000), (3, 3 * 1024**2)])
async def test_no_commit_is_larger_than_redis_can_do_at_once(redis_url: str, count: int, size: int) -> None:
    sizes: list[int] = []
    counts: list[int] = []

    def look(command: bytes) -> Fault | None:
        if b'{"id":' in command:
            sizes.append(len(command))
            counts.append(command.count(b'{"id":'))
        return None

    path = f"/p28-large?documents={count}&bytes={size}"
    with hostile() as served:
        async with Proxy.to(redis_url) as proxy, worker(proxy.url) as station, case(redis_url) as c:
            handle = await station.fleet.enqueue(crawl(served, path, {"kind": "none"}))
            c.keys = handle.keys
            proxy.weather = look
            await c.call("CONFIG", "RESETSTAT")
            await work(station, c)
            assert len(await c.documents()) == count <= sum(counts)
            assert (await handle.status()).state == "finished"
            stats: Any = await c.redis.info("commandstats")
    assert max(counts) <= 500
    assert all(one <= 1024**2 + SPARE for one, documents in zip(sizes, counts, strict=True) if documents > 1)
    took = stats["cmdstat_evalsha"]["usec_per_call"] / 1000
    print(f"{count} documents of {size} bytes: {len(sizes)} commits, {took:.1f} ms each")
    assert took < 50


class Coming:
    """In place of `Pages`: one page, when it is told so."""

    def __init__(self) -> None:
        self.page: asyncio.Future[Page] = asyncio.get_running_loop().create_future()

    async def __anext__(self) -> Page:
        return await self.page


@pytest.mark.invariant("C-4")
@pytest.mark.parametrize("reason", ["drained", "paused", "cancelled", "unrenewed"])
async def test_a_page_that_comes_in_the_moment_of_a_halt_is_committed(redis_url: str, reason: str) -> None:
    """Waiting for it is given up at once, and a commit is not."""
    async with case(redis_url, 2, 1) as c:
        await c.enqueue()
        held = await Slice.lease(c.scripts, c.keys, await c.claim(), Settings(), "a worker")
        assert held is not None
        coming: Any = Coming()

        async def work() -> None:
            async with held.in_hand():
                async for page in held.until_halted(coming):
                    await held.commit(page)

        working = asyncio.create_task(work())
        await asyncio.sleep(0.05)
        coming.page.set_result(Page(c.source.pages[0], c.source.cursor(2), size=10))
        held.halt(reason)
        with pytest.raises(Halted, match=reason):
            await working
        assert held.checkpoint.page == 2
        await held.release("queued")
        await c.finish(await c.lease())
