"""Workers of two releases on one fleet, while crawls are under way that only the later one knows."""

import json
import sys
from pathlib import Path

import pytest

from pagefleet import Crawl, Fleet
from pagefleet.audit import audit
from pagefleet.keys import SliceKeys
from tests.api import api, description
from tests.machine import assert_nothing_left, assert_whole, machine

LATER = Path(__file__).with_name("later.py")
COUNT = 600


@pytest.mark.chaos
@pytest.mark.invariant("O-7")
async def test_two_releases_on_one_fleet(tmp_path: Path) -> None:
    """Turns are short, so that slices go from one to the other; the older worker puts back what it does not know."""
    with api() as server, machine(tmp_path, PAGEFLEET_TURN="0.5") as here:
        await here.answers()
        here.start_scheduler()
        async with Fleet(here.url) as fleet:
            later, plain = [f"later-{n}" for n in range(3)], [f"plain-{n}" for n in range(3)]
            for name in later:
                said = {**description(server.url, name, count=COUNT, delay=0.02), "kind": "crawl", "sparkle": True}
                await fleet.scripts.enqueue(SliceKeys(name), json.dumps(said), name, 0)
            for name in plain:
                said = {**description(server.url, name, count=COUNT, delay=0.02), "name": name}
                await fleet.enqueue(Crawl.model_validate(said))
            older = here.start_worker(1)
            newer = here.start([sys.executable, str(LATER), "--redis", here.url, "--concurrency", "1"])
            handles = [fleet.crawl(name) for name in (*later, *plain)]
            for handle in handles:
                await handle.wait(100)
                await assert_whole(handle, handle.id, COUNT)
                assert (await audit(fleet, handle.id)).findings == ()
            told = [event for handle in handles for event in await handle.events()]
            put_back = [event for event in told if "later release" in event.why and event.what == "release to snooze"]
            assert {event.who.rpartition(":")[2] for event in put_back} == {str(older.pid)}
            assert not [event for event in told if event.after == "failed"]
        assert (older.poll(), newer.poll()) == (None, None)
        await assert_nothing_left(here.url)
        print(f"put back {len(put_back)} times; of {len(told)} events")
