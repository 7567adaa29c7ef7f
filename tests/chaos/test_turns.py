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
