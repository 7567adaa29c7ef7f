"""A crawl without end and short ones behind it, on a worker with one place: each has its turn."""

import time
from pathlib import Path

import pytest

from pagefleet import Crawl, Fleet
from tests.api import api, description
from tests.machine import assert_nothing_left, assert_whole, machine, wait_until

pytestmark = pytest.mark.chaos

SHORT = {"PAGEFLEET_TURN": "0.3"}


@pytest.mark.invariant("L-7")
@pytest.mark.timeout(300)
async def test_a_long_crawl_does_not_starve_short_ones(tmp_path: Path) -> None:
    """All of them finish while it is still going, and not one has to be rescued."""
    with api() as server, machine(tmp_path, **SHORT) as here:
        await here.answers()
        here.start_worker(concurrency=1)
        async with Fleet(here.url) as fleet:
            said = description(server.url, "long", count=1_000_000, size=10, delay=0.02)
            long = await fleet.enqueue(Crawl.model_validate({**said, "name": "long", "limits": {"backlog": None}}))

            async def is_going() -> bool:
                return (await long.status()).documents >= 50

            await wait_until(is_going)
            began = time.monotonic()
            handles = [
                await fleet.enqueue(
                    Crawl.model_validate({**description(server.url, f"s{n}", count=100, delay=0.02), "name": f"s{n}"})
                )
                for n in range(10)
            ]
            for n, handle in enumerate(handles):
                assert (await handle.wait(120)).rescued == 0
                await assert_whole(handle, f"s{n}", 100)
            print(f"10 short crawls behind a long one: {time.monotonic() - began:.1f} s")
            assert (await long.status()).state in ("queued", "running")
            assert await long.cancel() == "cancelled"

            async def is_free() -> bool:
                return not (await long.status()).worker

            await wait_until(is_free)
        await assert_nothing_left(here.url)


@pytest.mark.invariant("L-7")
@pytest.mark.timeout(300)
async def test_a_crawl_in_many_slices_holds_a_short_one_up_for_a_turn(tmp_path: Path) -> None:
    """Its hundred children are queued all at once; who comes later need not wait for all of them."""
    with api() as server, machine(tmp_path, PAGEFLEET_TURN="2.5") as here:
        await here.answers()
        here.start_worker(concurrency=1)
        async with Fleet(here.url) as fleet:

            async def took(name: str) -> float:
                began = time.monotonic()
                said = {**description(server.url, name, count=90, size=10, delay=0.2), "name": name}
                await (await fleet.enqueue(Crawl.model_validate(said))).wait(120)
                return time.monotonic() - began

            await took("first")  # the worker has started by then
            alone = await took("alone")
            said = description(server.url, "long", count=1_000_000, size=10, delay=0.02)
            slices = {"by": "values", "param": "part", "values": list(range(100))}
            long = await fleet.enqueue(Crawl.model_validate({**said, "name": "long", "slices": slices}))

            async def is_going() -> bool:
                return (await long.status()).documents >= 50

            await wait_until(is_going)
            beside = [await took(f"beside{n}") for n in range(3)]
            print(f"ten pages alone: {alone:.2f} s, beside 100 slices: {', '.join(f'{one:.2f} s' for one in beside)}")
            assert max(beside) <= 3 * alone
            assert await long.cancel() == "cancelled"

            async def is_free() -> bool:
                return not (await long.status()).worker

            await wait_until(is_free)
        await assert_nothing_left(here.url)
