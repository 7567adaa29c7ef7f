"""A seeded storm over a small fleet: whatever is killed, frozen or drained, each document arrives once, in order."""

import os
import random
import signal
import time
from pathlib import Path

import anyio
import pytest

from pagefleet import Crawl, Fleet
from tests.api import api, description
from tests.machine import Machine, assert_nothing_left, assert_whole, machine

pytestmark = pytest.mark.chaos

SEED = int(os.environ.get("SEED", "20"))
STORM = float(os.environ.get("STORM_SECONDS", "15"))
COUNT = round(STORM * 100)
"""Documents of a crawl: about as long as the storm."""
STYLES = ("offset", "page", "cursor", "next_url", "link_header", "offset")
SHORT = {"PAGEFLEET_LEASE": "1.2", "PAGEFLEET_RENEW": "0.4", "PAGEFLEET_SWEEP": "0.2", "PAGEFLEET_TURN": "2"}


async def rage(here: Machine, chance: random.Random, seconds: float) -> dict[str, int]:
    """Strike a process every half second or so; what dies is replaced. Answers how often each happened."""
    blows: dict[str, int] = {}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await anyio.sleep(chance.uniform(0.1, 1.0))  # the storm's own beat
        blow = chance.choice(["SIGKILL", "SIGKILL", "SIGSTOP", "SIGCONT", "SIGTERM", "scheduler"])
        blows[blow] = blows.get(blow, 0) + 1
        if blow == "scheduler":
            here.schedulers.pop().kill()
            here.start_scheduler()
            continue
        worker = chance.choice(here.workers)
        worker.send_signal(getattr(signal, blow))
        if blow in ("SIGKILL", "SIGTERM"):
            worker.send_signal(signal.SIGCONT)
            here.workers.remove(worker)
            here.start_worker()
    for worker in here.workers:
        worker.send_signal(signal.SIGCONT)
    return blows


@pytest.mark.timeout(300)
async def test_every_document_once_and_in_order(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    with api() as server, machine(tmp_path, **SHORT) as here:
        await here.answers()
        here.start_scheduler()
        for _ in range(3):
            here.start_worker()
        async with Fleet(here.url) as fleet:
            handles = [
                await fleet.enqueue(
                    Crawl.model_validate(
                        {
                            **description(server.url, f"s{n}", style, count=round(STORM * 100) + n, size=7, delay=0.03),
                            "name": f"s{n}",
                        }
                    )
                )
                for n, style in enumerate(STYLES)
            ]
            blows = await rage(here, chance, STORM)
            rescues = 0
            for n, handle in enumerate(handles):
                status = await handle.wait(120)
                rescues += status.rescued
                print(f"seed {SEED}: {handle.id} {status.leases} leases, {status.rescued} rescues")
                await assert_whole(handle, f"s{n}", COUNT + n)
        print(f"seed {SEED}: {blows}")
        assert rescues > 0  # or it was no storm
        assert "Traceback" not in here.log()
        await assert_nothing_left(here.url)
