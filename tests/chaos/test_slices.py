"""A crawl in slices on two workers that are killed at random: every document once, and the sum is the whole."""

import asyncio
import os
import random
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pagefleet import Crawl, Document, Fleet
from pagefleet.audit import audit
from tests.api import api, description, document
from tests.machine import assert_nothing_left, machine, wait_until

pytestmark = pytest.mark.chaos

SEED = int(os.environ.get("SEED", "20"))
SHORT = {"PAGEFLEET_LEASE": "2.4", "PAGEFLEET_RENEW": "0.8", "PAGEFLEET_SWEEP": "0.2", "PAGEFLEET_TURN": "1"}
COUNT, CAP = 6000, 250
KILLS = 8
WAYS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "range": ({"by": "range", "from": 0, "to": COUNT, "params": {"since": "{from}", "until": "{to}"}}, {"cap": CAP}),
    "pages": ({"by": "pages", "pages": 20}, {}),
    "values": ({"by": "values", "param": "rest", "values": list(range(120)), "pages": 3}, {"each": 120}),
}


@pytest.mark.invariant("C-1")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", WAYS)
async def test_workers_of_a_crawl_in_slices_are_killed_at_random(tmp_path: Path, way: str) -> None:
    chance = random.Random(f"{SEED} {way}")
    slices, params = WAYS[way]
    with api() as server, machine(tmp_path, **SHORT) as here:
        await here.answers()
        here.start_scheduler()
        for _ in range(2):
            here.start_worker(concurrency=4)
        async with Fleet(here.url) as fleet:
            said = {**description(server.url, "x", count=COUNT, size=10, delay=0.1, **params), "slices": slices}
            handle = await fleet.enqueue(Crawl.model_validate({**said, "name": "sliced", "cap": params.get("cap")}))
            read: list[Document] = []

            async def follow() -> None:
                async for one in handle.documents():
                    read.append(one)  # noqa: PERF401 — looked at meanwhile

            reading = asyncio.create_task(follow())
            killed = 0
            for moment in sorted(chance.uniform(0, COUNT * 0.9) for _ in range(KILLS)):

                async def fact(moment: float = moment) -> bool:
                    return len(read) >= moment or reading.done()

                await wait_until(fact)
                victim = here.workers.pop(chance.randrange(2))
                killed += f":{victim.pid}" in (await handle.status()).worker
                victim.send_signal(signal.SIGKILL)
                victim.wait()
                here.start_worker(concurrency=4)
            await asyncio.wait_for(reading, 120)
            status = await handle.status()
            print(
                f"seed {SEED}: {killed} of {KILLS} kills with a lease, {status.slices} slices, {status.rescued} rescues"
            )
            assert killed
            assert Counter(map(bytes, read)) == Counter(document("x", number) for number in range(COUNT))
            assert len({one.id for one in read}) == COUNT
            assert (str(status.verdict), status.total) == ("complete", COUNT)
            assert (await audit(fleet, handle.id)).is_whole
        await assert_nothing_left(here.url)
