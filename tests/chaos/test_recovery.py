"""How fast a crawl goes on elsewhere: after kill -9, after SIGTERM; and what a Redis that goes away does to it."""

import re
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from pagefleet import Crawl, Fleet, Handle, Status
from pagefleet.source import PythonSource
from tests.api import Api, api, description
from tests.chaos.nursery import nursing
from tests.machine import Machine, assert_nothing_left, assert_whole, machine, wait_until
from tests.proxy import Fault, Kind, Proxy

pytestmark = pytest.mark.chaos


@pytest.fixture(name="server")
def _server() -> Iterator[Api]:
    with api() as server:
        yield server


@pytest.fixture(name="here")
async def _here(tmp_path: Path) -> AsyncIterator[Machine]:
    with machine(tmp_path) as started:
        await started.answers()
        yield started


def crawl(server: Api, name: str, count: int, delay: float = 0.02) -> Crawl:
    """Ten documents a page, `delay` seconds each."""
    return Crawl.model_validate({**description(server.url, name, count=count, size=10, delay=delay), "name": name})


async def running(handle: Handle, documents: int) -> Status:
    """The crawl once somebody has the lease and so many documents are there."""

    async def fact() -> Status | None:
        status = await handle.status()
        return status if status.worker and status.documents >= documents else None

    return await wait_until(fact)


def pid(status: Status) -> int:
    return int(status.worker.rpartition(":")[2])


@pytest.mark.invariant("C-10")
async def test_kill_9_to_the_next_page_elsewhere_takes_at_most_10_s(server: Api, here: Machine) -> None:
    here.start_scheduler()
    for _ in range(2):
        here.start_worker()
    async with Fleet(here.url) as fleet:
        handle = await fleet.enqueue(crawl(server, "killed", 4000))
        held = await running(handle, 200)
        victim = next(worker for worker in here.workers if worker.pid == pid(held))
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        killed = time.monotonic()
        before = await handle.status()

        async def elsewhere() -> bool:
            status = await handle.status()
            return status.documents > before.documents and status.worker != held.worker

        await wait_until(elsewhere, 30)
        seconds = time.monotonic() - killed
        print(f"kill -9 to the next page elsewhere: {seconds:.1f} s")
        assert seconds <= 10
        assert (await handle.wait(60)).rescued == 1
        await assert_whole(handle, "killed", 4000)
    await assert_nothing_left(here.url)


@pytest.mark.invariant("C-11")
async def test_sigterm_frees_the_lease_within_half_a_second(server: Api, here: Machine) -> None:
    """In the middle of a slow answer, and no page is lost or fetched into the stream twice."""
    worker = here.start_worker()
    async with Fleet(here.url) as fleet:
        handle = await fleet.enqueue(crawl(server, "terminated", 200, delay=2))
        await running(handle, 10)
        await server.has_been_asked(3, "/c/terminated")
        worker.send_signal(signal.SIGTERM)
        told = time.monotonic()

        async def free() -> bool:
            return not (await handle.status()).worker

        await wait_until(free)
        seconds = time.monotonic() - told
        print(f"SIGTERM to the free lease: {seconds:.2f} s")
        assert seconds <= 0.5
        assert worker.wait(10) == 0
        assert (await handle.status()).state == "queued"


@pytest.mark.invariant("C-12")
async def test_fifty_sigterms_do_not_fail_a_crawl(server: Api, here: Machine) -> None:
    here.start_scheduler()
    async with Fleet(here.url) as fleet:
        handle = await fleet.enqueue(crawl(server, "drained", 4000))
        with nursing(here.place / "log", {}) as nursery:
            for turn in range(50):
                worker = nursery.start("worker", "--redis", here.url)
                before = (await handle.status()).documents

                async def goes_on(before: int = before) -> bool:
                    status = await handle.status()
                    assert status.state in ("queued", "running")
                    return status.documents > before

                async def has_ended(worker: int = worker) -> bool:
                    return not nursery.signal(worker, 0)

                await wait_until(goes_on)
                nursery.signal(worker, signal.SIGTERM if turn % 2 else signal.SIGINT)
                await wait_until(has_ended, 10)
        here.start_worker()
        status = await handle.wait(60)
        assert (status.rescued, status.leases) == (0, 51)
        await assert_whole(handle, "drained", 4000)
    await assert_nothing_left(here.url)


STALLING = """
import time
from pathlib import Path
from pagefleet import Page, source

@source(key="n")
async def stalling(client, cursor, count):
    for number in range(cursor or 0, count):
        if number == 50 and not Path("stalled").exists():
            Path("stalled").touch()
            time.sleep(3 * 1.2)
        yield Page([{"n": number}], cursor=number + 1)
"""


@pytest.mark.invariant("C-2")
async def test_the_event_loop_of_a_worker_stalls_for_three_leases(tmp_path: Path) -> None:
    """Its slice is rescued and finished elsewhere; what it does when it wakes up changes nothing."""
    (tmp_path / "stalling_source.py").write_text(STALLING)
    short = {"PAGEFLEET_LEASE": "1.2", "PAGEFLEET_RENEW": "0.4", "PAGEFLEET_SWEEP": "0.2"}
    with machine(tmp_path, **short) as here:
        await here.answers()
        here.start_scheduler()
        workers = [here.start_worker() for _ in range(2)]
        async with Fleet(here.url) as fleet:
            made = PythonSource(name="stalled", function="stalling_source:stalling", arguments={"count": 100}, key="n")
            handle = await fleet.enqueue(made)
            assert (await handle.wait(60)).rescued == 1
            assert [document.json()["n"] async for document in handle.documents()] == list(range(100))

            async def is_awake() -> bool:
                return "stalled:0 left: " in here.log()

            await wait_until(is_awake, 30)
            assert [document.json()["n"] async for document in handle.documents()] == list(range(100))
        assert [worker.poll() for worker in workers] == [None, None]
        await assert_nothing_left(here.url)


HANGING = """
import time
from pathlib import Path
from pagefleet import Page, source

@source(key="n")
async def hanging(client, cursor, count):
    for number in range(cursor or 0, count):
        if number == 50 and not Path("hung").exists():
            Path("hung").touch()
            time.sleep(3600)
        yield Page([{"n": number}], cursor=number + 1)
"""


@pytest.mark.invariant("O-3")
async def test_a_worker_whose_event_loop_hangs_is_started_again(tmp_path: Path) -> None:
    """Its log says where it hung, and the one that is started in its place takes jobs."""
    (tmp_path / "hanging_source.py").write_text(HANGING)
    short = {"PAGEFLEET_LEASE": "1.2", "PAGEFLEET_RENEW": "0.4", "PAGEFLEET_SWEEP": "0.2", "PAGEFLEET_HANG": "3"}
    with machine(tmp_path, **short) as here:
        await here.answers()
        here.start_scheduler()
        parent = here.start_worker(processes=2)
        async with Fleet(here.url) as fleet:
            shown = set[bytes]()

            async def have_shown_themselves(count: int) -> bool:
                """So many workers, by now: a key is there at its worker's start, and fades away."""
                redis: Any = fleet.redis  # redis-py leaves the type of this out
                shown.update([name async for name in redis.scan_iter("pagefleet:worker:*")])
                return len(shown) == count

            await wait_until(lambda: have_shown_themselves(2), 30)
            made = PythonSource(name="hung", function="hanging_source:hanging", arguments={"count": 100}, key="n")
            handle = await fleet.enqueue(made)
            assert (await handle.wait(60)).rescued == 1
            assert [document.json()["n"] async for document in handle.documents()] == list(range(100))

            await wait_until(lambda: have_shown_themselves(3), 30)
        said = here.log()
        assert "ended with 1; starting another" in said
        assert re.search(r'Timeout \(0:00:03\)!\n(.*\n)+?  File ".*hanging_source.py", line 11 in hanging', said)
        assert parent.poll() is None
        parent.send_signal(signal.SIGTERM)
        assert parent.wait(20) == 0
        await assert_nothing_left(here.url)


@pytest.mark.invariant("O-3")
async def test_a_worker_whose_source_does_not_answer_is_left_alone(server: Api, tmp_path: Path) -> None:
    with machine(tmp_path, PAGEFLEET_HANG="3") as here:
        await here.answers()
        worker = here.start_worker()
        async with Fleet(here.url) as fleet:
            handle = await fleet.enqueue(crawl(server, "slow", 10, delay=9))
            assert (await handle.wait(60)).documents == 10
        assert worker.poll() is None


async def test_redis_killed_and_restarted_in_the_middle(server: Api, here: Machine) -> None:
    here.start_scheduler()
    here.start_worker()
    async with Fleet(here.url) as fleet:
        handle = await fleet.enqueue(crawl(server, "restarted", 3000))
        for documents in (300, 1200, 2100):
            await running(handle, documents)
            assert here.redis
            here.redis.kill()
            here.redis.wait()
            here.start_redis()
            await here.answers()
        await handle.wait(60)
        await assert_whole(handle, "restarted", 3000)
    await assert_nothing_left(here.url)


@pytest.mark.invariant("O-2", "O-3")
async def test_redis_away_for_30_s(server: Api, here: Machine) -> None:
    """Busy and idle workers live on, and the crawl is finished by the worker that had it or by another."""
    scheduler = here.start_scheduler()
    workers = [here.start_worker() for _ in range(2)]
    async with Fleet(here.url) as fleet:
        handle = await fleet.enqueue(crawl(server, "away", 2000))
        await running(handle, 500)
        assert here.redis
        here.redis.kill()
        here.redis.wait()
        await anyio.sleep(30)  # this is the fact
        here.start_redis()
        await here.answers()
        await handle.wait(60)
        await assert_whole(handle, "away", 2000)
        again = await fleet.enqueue(crawl(server, "afterwards", 100))
        await again.wait(30)
    assert [child.poll() for child in (scheduler, *workers)] == [None, None, None]
    await assert_nothing_left(here.url)


@pytest.mark.invariant("O-2")
@pytest.mark.parametrize("first", [2, 3])
async def test_redis_goes_away_while_a_worker_starts(server: Api, here: Machine, first: int) -> None:
    """Its first connection has shown that there is a usable Redis; then arq's own, the second one, or those of the
    first jobs get nowhere."""
    greetings = 0

    def weather(command: bytes) -> Fault | None:
        nonlocal greetings
        greetings += b"LIB-NAME" in command
        return Fault(Kind.SWALLOW, b"") if b"LIB-NAME" in command and first <= greetings < first + 4 else None

    here.start_scheduler()
    async with Proxy.to(here.url) as proxy, Fleet(here.url) as fleet:
        proxy.weather = weather
        handles = [await fleet.enqueue(crawl(server, f"greeted{n}", 20)) for n in range(4)]
        worker = here.start_worker(url=proxy.url)
        for handle in handles:
            await handle.wait(60)
        assert worker.poll() is None
    assert greetings > first + 4
    assert "Traceback" not in here.log()
    assert ("starting arq" if first == 2 else "arq's part in the job") in here.log()


async def test_sigterm_while_redis_is_away(server: Api, here: Machine) -> None:
    worker, idle = here.start_worker(), here.start_worker()
    async with Fleet(here.url) as fleet:
        handle = await fleet.enqueue(crawl(server, "orphan", 1000))
        await running(handle, 100)
    assert here.redis
    here.redis.kill()
    here.redis.wait()
    for child in (worker, idle):
        child.send_signal(signal.SIGTERM)
        child.wait(15)
    here.start_redis()
    await here.answers()
    here.start_scheduler()
    here.start_worker()
    async with Fleet(here.url) as fleet:
        await fleet.crawl("orphan").wait(60)
        await assert_whole(fleet.crawl("orphan"), "orphan", 1000)
