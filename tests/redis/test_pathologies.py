"""The pathologies in which the fleet has a part: what one worker leaves to the next, and what all must obey.

P4   a cycle                            the crawl fails, also where no worker sees two of its pages
P13  a cursor dies                      the crawl says by what other way it went on
P14  the server moves on when asked     a worker that dies, drains or waits with a page in hand leaves a used cursor:
                                        the next one goes on by the fallback, or the crawl fails; no page is skipped
P16  rows move under a page in parts    `suspect`: drift
P23  a request for patience             the whole fleet keeps away from the origin, and snoozes
P26  a token dies                       the crawl fails; resumed with a new one it is whole; neither is in Redis
P27  a page that is an error for ever   the crawl fails, and holds up no other; resumed when it is mended it is whole
P28  a very large page                  in parts, whole
P30  two workers on one crawl           the one without the lease changes nothing
"""

import asyncio
import signal
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pagefleet_worker.advance import Station, advance
from pagefleet_worker.clients import Clients

from pagefleet.crawl import Crawl
from pagefleet.fleet import Fleet, Handle
from pagefleet.keys import budget
from pagefleet.settings import Settings
from pagefleet.states import State
from pagefleet.status import Status
from tests.api import document
from tests.hostile import ROWS, Hostile, hostile
from tests.hostile.outcome import CURSOR, KEYSET, OFFSET, crawl
from tests.machine import Machine
from tests.machine import wait_until as wait_for
from tests.redis.actors import Case, source, wait_until, while_running


@pytest.fixture
def server() -> Generator[Hostile]:
    with hostile() as served:
        yield served
        asyncio.run(served.is_idle())


@asynccontextmanager
async def worker(url: str) -> AsyncGenerator[Station]:
    """A worker without its loop: what arq would give it is given to it by `work`."""
    async with Fleet(url) as fleet, Clients(Settings()) as clients:
        yield Station("worker", fleet, clients, Settings())


async def enqueued(station: Station, described: Crawl) -> tuple[Handle, Case]:
    """A crawl in the queue, and a hand on its slice."""
    handle = await station.fleet.enqueue(described)
    return handle, Case(station.fleet.redis, station.fleet.scripts, source(), handle.keys)


async def work(station: Station, case: Case) -> None:
    """arq's part: the job that waits, from the claim to its end."""
    number = await case.claim()
    await advance({"station": station}, case.keys.tag, number)
    await case.drop(number)


async def killed(station: Station, case: Case, server: Hostile) -> None:
    """The same by a worker that dies when the first page is delivered and the second on its way; and the rescue."""
    number = await case.claim()
    async with while_running(advance({"station": station}, case.keys.tag, number)):
        await wait_until(lambda: is_between(case, server))
    await case.drop(number)
    assert await case.state() == "running"  # nobody was told
    await rescue(case)


async def is_between(case: Case, server: Hostile) -> bool:
    """The first page is in the stream, and the server has moved on behind the second."""
    documents = (await case.row())["documents"]
    return documents == "10" and server.has_seen("lost") > 0


async def rescue(case: Case) -> None:
    """The scheduler's part, as if the lease or the snooze had run out."""
    await case.run_out()
    assert await case.scripts.rescue(case.keys) in ("rescued", "enqueued")


async def delivered(case: Case) -> list[bytes]:
    """What is in the stream now, whatever has become of the crawl."""
    return [document for _, document in await case.documents()]


def verdict(status: Status) -> tuple[str, ...]:
    """The finding and the words of its reasons."""
    assert status.state is State.FINISHED, status
    assert status.verdict
    return status.verdict.finding.value, *(word for word, _ in status.verdict.reasons)


# P4, P13 and P14: cursors that one worker leaves to the next


@pytest.mark.invariant("C-19")
async def test_p04_a_cycle_of_which_each_worker_sees_a_page(redis_url: str, server: Hostile) -> None:
    """There is room for one page at a time. Once it is round the crawl ends, and not much later."""
    async with worker(redis_url) as here:
        handle, case = await enqueued(here, crawl(server, "/p04-cycle", CURSOR, limits={"backlog": 1}))
        for _ in range(12):
            await work(here, case)
            if await case.state() != "snoozed":
                break
            await handle.acknowledge("reader", (await case.documents())[-1][0])
            await rescue(case)
        status = await handle.status()
        assert status.state is State.FAILED
        assert "go round in a circle; check the crawl's paginate" in status.error
        assert 25 <= status.documents <= 3 * 25


async def test_p13_a_crawl_says_by_what_other_way_it_went_on(redis_url: str, server: Hostile) -> None:
    async with worker(redis_url) as here:
        handle, case = await enqueued(here, crawl(server, "/p13-cursor-expires", {**CURSOR, "fallback": KEYSET}))
        await work(here, case)
        status = await handle.status()
        assert await delivered(case) == ROWS
        assert verdict(status) == ("complete",)
        assert "/p13-cursor-expires?… answered 410" in status.notice
        assert "went on behind id 19" in status.notice


SCROLL = {**CURSOR, "empty": "end", "replay": "advancing"}
LATE = "/p14-server-moves-on?lose=2&late=1"


@pytest.mark.parametrize(("fallback", "word"), [(KEYSET, "complete"), ("restart", "complete"), (OFFSET, "suspect")])
async def test_p14_a_worker_dies_with_a_page_on_its_way(
    redis_url: str, server: Hostile, fallback: Any, word: str
) -> None:
    """The server has moved on behind the second page, and nobody has it."""
    async with worker(redis_url) as here, worker(redis_url) as there:
        handle, case = await enqueued(here, crawl(server, LATE, {**SCROLL, "fallback": fallback}))
        await killed(here, case, server)
        assert await delivered(case) == ROWS[:10]
        await work(there, case)
        assert await delivered(case) == ROWS
        assert verdict(await handle.status())[0] == word
        assert server.has_seen("scroll-1") == 2


async def test_p14_a_worker_dies_with_a_page_on_its_way_and_there_is_no_other_way(
    redis_url: str, server: Hostile
) -> None:
    async with worker(redis_url) as here, worker(redis_url) as there:
        handle, case = await enqueued(here, crawl(server, LATE, SCROLL))
        await killed(here, case, server)
        await work(there, case)
        status = await handle.status()
        assert (status.state, await delivered(case)) == (State.FAILED, ROWS[:10])
        assert "give the crawl's paginate a fallback" in status.error
        assert server.has_seen("scroll-1") == 2


async def test_p14_a_worker_drains_with_a_page_on_its_way(redis_url: str, server: Hostile) -> None:
    """It gives the slice back at once, and with it a cursor that has been used."""
    async with worker(redis_url) as here, worker(redis_url) as there:
        handle, case = await enqueued(here, crawl(server, LATE, {**SCROLL, "fallback": KEYSET}))
        number = await case.claim()
        async with while_running(advance({"station": here}, case.keys.tag, number)) as working:
            await wait_until(lambda: is_between(case, server))
            here.drain()
            await working
        await case.drop(number)
        assert await case.state() == "queued"
        await work(there, case)
        assert await delivered(case) == ROWS
        assert verdict(await handle.status()) == ("complete",)
        assert server.has_seen("scroll-1") == 2


@pytest.mark.invariant("L-2")
async def test_p14_a_page_in_hand_and_no_room_for_it(redis_url: str, server: Hostile) -> None:
    limits = {"backlog": 10}
    scroll = crawl(server, "/p14-server-moves-on", {**SCROLL, "fallback": KEYSET}, limits=limits)
    async with worker(redis_url) as here:
        handle, case = await enqueued(here, scroll)
        await work(here, case)
        assert await case.state() == "snoozed"
        read = [found async for batch in handle.batches(is_following=False) for found in batch]
        while (await handle.status()).state is not State.FINISHED:
            await handle.acknowledge("reader", read[-1].id)
            await rescue(case)
            await work(here, case)
            behind = handle.batches(read[-1].id, is_following=False)
            read += [found async for batch in behind for found in batch]
        assert read == ROWS
        assert verdict(await handle.status()) == ("complete",)


async def test_p14_and_p30_kill_9_and_a_worker_that_goes_on(redis_url: str, server: Hostile, tmp_path: Path) -> None:
    """Real processes, and a real scheduler that notices."""
    here = Machine(tmp_path, PAGEFLEET_LEASE="1.2", PAGEFLEET_RENEW="0.4", PAGEFLEET_SWEEP="0.1")
    here.url = redis_url
    try:
        async with Fleet(redis_url) as fleet:
            handle = await fleet.enqueue(crawl(server, LATE, {**SCROLL, "fallback": "restart"}))
            case = Case(fleet.redis, fleet.scripts, source(), handle.keys)
            first = here.start_worker()
            await wait_for(lambda: is_between(case, server))
            first.send_signal(signal.SIGKILL)
            first.wait()
            here.start_scheduler()
            here.start_worker()
            status = await handle.wait(60)
            assert await delivered(case) == ROWS
            assert (verdict(status), status.rescued) == (("complete",), 1)
            assert "went on from the first page, behind 10 documents" in status.notice
    finally:
        for child in (*here.workers[1:], *here.schedulers):
            child.terminate()
            child.wait()
        here.end_all()


# P16 and P28: rows that move, and pages that are committed in parts


@pytest.mark.parametrize(("how", "word"), [("insert", "overlap"), ("delete", "shrunk")])
async def test_p16_rows_move_under_a_crawl(redis_url: str, server: Hostile, how: str, word: str) -> None:
    """As many arrive as were declared, and all the same they are not those."""
    async with worker(redis_url) as here:
        handle, case = await enqueued(here, crawl(server, f"/p16-rows-move?as={how}", OFFSET))
        await work(here, case)
        status = await handle.status()
        assert status.documents == status.total
        assert verdict(status) == ("suspect", word)


async def test_p16_a_page_that_changes_between_its_parts(redis_url: str, server: Hostile) -> None:
    """There is no room for its second part; when there is, the page is another."""
    source_ = crawl(server, "/p16-page-changes", {"kind": "none"}, limits={"backlog": 500})
    async with worker(redis_url) as here:
        handle, case = await enqueued(here, source_)
        await work(here, case)
        read = [found async for batch in handle.batches(is_following=False) for found in batch]
        assert read == [document("p", number) for number in range(500)]
        while (await handle.status()).state is not State.FINISHED:
            await handle.acknowledge("reader", read[-1].id)
            await rescue(case)
            await work(here, case)
            behind = handle.batches(read[-1].id, is_following=False)
            read += [found async for batch in behind for found in batch]
        assert (len(read), len({one.id for one in read})) == (1200, 1200)
        assert verdict(await handle.status()) == ("suspect", "drift")


@pytest.mark.parametrize(("count", "size"), [(2000, 4096), (1, 8 * 1024**2)])
async def test_p28_a_very_large_page(redis_url: str, server: Hostile, count: int, size: int) -> None:
    async with worker(redis_url) as here:
        path = f"/p28-large?documents={count}&bytes={size}"
        handle, case = await enqueued(here, crawl(server, path, {"kind": "none"}))
        await work(here, case)
        status = await handle.status()
        assert verdict(status) == ("complete",)
        assert (status.pages, status.documents) == (1, count)
        assert sum(map(len, await delivered(case))) == pytest.approx(count * size, rel=0.01)


# P23, P26 and P27: what is told to all, and what somebody has to mend


@pytest.mark.invariant("L-4")
@pytest.mark.parametrize("how", ["429-seconds", "429-epoch", "403-seconds", "403-epoch", "503-seconds"])
async def test_p23_patience_is_the_whole_fleets(redis_url: str, server: Hostile, how: str) -> None:
    async with worker(redis_url) as here, worker(redis_url) as there:
        handle, case = await enqueued(here, crawl(server, f"/p23-patience?as={how}&seconds=300", OFFSET))
        other, second = await enqueued(there, crawl(server, "/p30-two-workers", OFFSET))
        await work(here, case)
        told = await handle.status()
        assert (told.state, await delivered(case)) == (State.SNOOZED, ROWS[:10])
        assert f"/p23-patience?… answered {how[:3]}" in told.reason
        assert 290_000 < await case.due() < 301_000
        await work(there, second)
        assert (await other.status()).state is State.SNOOZED
        assert 290_000 < await second.due() < 301_000
        assert not server.asked("/p30-two-workers")
        await here.fleet.redis.delete(budget(server.url))  # the time has passed
        await rescue(case)
        await work(here, case)
        assert await delivered(case) == ROWS
        assert verdict(await handle.status()) == ("complete",)


@pytest.mark.invariant("S-9")
async def test_p26_a_token_dies_and_there_is_a_new_one(redis_url: str, server: Hostile, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("hunter2-first\n")
    described = crawl(server, "/p26-token-dies", OFFSET, headers={"Authorization": f"Bearer file:{token}"})
    async with worker(redis_url) as here:
        handle, case = await enqueued(here, described)
        await work(here, case)
        failed = await handle.status()
        assert (failed.state, await delivered(case)) == (State.FAILED, ROWS[:20])
        assert "the server answered 401" in failed.error
        assert "check the credentials" in failed.error
        token.write_text("hunter2-second\n")
        assert await handle.resume() is State.QUEUED
        await work(here, case)
        assert await delivered(case) == ROWS
        assert verdict(await handle.status()) == ("complete",)
        everything = repr(await case.dump())
        assert "Bearer hunter2-first" not in everything
        assert "Bearer hunter2-second" not in everything


@pytest.mark.invariant("C-18")
async def test_p27_a_poison_record_is_mended(redis_url: str, server: Hostile) -> None:
    async with worker(redis_url) as here:
        handle, case = await enqueued(here, crawl(server, "/p27-poison-record", CURSOR, limits={"attempts": 1}))
        other, second = await enqueued(here, crawl(server, "/p30-two-workers", CURSOR))
        await work(here, case)
        await work(here, second)
        failed = await handle.status()
        assert (failed.state, await delivered(case)) == (State.FAILED, ROWS[:10])
        assert "the server answered 500" in failed.error
        assert failed.cursor == "10"
        assert (await other.status()).state is State.FINISHED
        server.memory.values["mended"] = True
        await handle.resume()
        await work(here, case)
        assert await delivered(case) == ROWS
        assert verdict(await handle.status()) == ("complete",)


# P30: two workers on one crawl


async def is_waiting(case: Case, server: Hostile) -> bool:
    """The same, for a page that the server holds back."""
    documents = (await case.row())["documents"]
    return documents == "10" and server.has_seen("waiting") > 0


@pytest.mark.invariant("C-2")
async def test_p30_a_worker_that_has_lost_its_lease_changes_nothing(redis_url: str, server: Hostile) -> None:
    """It waits for its second page, and is overtaken."""
    async with worker(redis_url) as here, worker(redis_url) as there:
        handle, case = await enqueued(here, crawl(server, "/p30-two-workers?wait=10", OFFSET))
        number = await case.claim()
        async with while_running(advance({"station": here}, case.keys.tag, number)) as overtaken:
            await wait_until(lambda: is_waiting(case, server))
            await case.drop(number)
            await rescue(case)
            server.memory.values["go"] = True
            await work(there, case)
            before = await case.dump()
            await overtaken
            assert await case.dump() == before
        assert await delivered(case) == ROWS
        assert verdict(await handle.status()) == ("complete",)
