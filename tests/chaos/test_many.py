"""More crawls than slots: all of them finish, and a queue longer than a lease is no reason to rescue anything."""

from pathlib import Path

import pytest

from pagefleet import Crawl, Fleet
from tests.api import api, description
from tests.machine import assert_nothing_left, assert_whole, machine

pytestmark = pytest.mark.chaos


@pytest.mark.timeout(300)
async def test_150_crawls_on_2_workers_with_10_slots_each(tmp_path: Path) -> None:
    """arq as it comes stops at 100 jobs a fleet, and a rescuer that knows no queue would livelock on the rest."""
    short = {"PAGEFLEET_TURN": "0.5"}  # the queue takes 15 s to pass, and a lease is 6 s
    with api() as server, machine(tmp_path, **short) as here:
        await here.answers()
        here.start_scheduler()
        for _ in range(2):
            here.start_worker(concurrency=10)
        async with Fleet(here.url) as fleet:
            handles = [
                await fleet.enqueue(
                    Crawl.model_validate(
                        {**description(server.url, f"m{n}", count=60, size=5, delay=0.1), "name": f"m{n}"}
                    )
                )
                for n in range(150)
            ]
            for n, handle in enumerate(handles):
                status = await handle.wait(180)
                assert status.rescued == 0, status
                await assert_whole(handle, f"m{n}", 60)
        await assert_nothing_left(here.url)
