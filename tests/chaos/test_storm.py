"""Short storms with a fixed seed: what `make chaos` does for longer, and with any seed."""

from pathlib import Path

import pytest

from tests.chaos.schedule import PROCESSES, SINGLE, schedule
from tests.chaos.storm import Options, weather_the_storm

pytestmark = pytest.mark.chaos


@pytest.mark.invariant("C-1", "C-2", "C-3", "C-4", "C-6", "C-9", "C-15")
@pytest.mark.timeout(400)
@pytest.mark.parametrize(("setup", "loss"), [("single", "power loss"), ("pair", "failover")])
async def test_every_document_once_in_order_and_under_its_id(tmp_path: Path, setup: str, loss: str) -> None:
    outcome = await weather_the_storm(tmp_path, Options("20", setup, seconds=6, workers=4, crawls=8))
    print(f"seed 20, {setup}: {dict(outcome.tally)}")
    assert not outcome.faults
    assert outcome.tally["SIGKILLs of workers with a lease"] > 0  # or it was no storm
    assert outcome.tally[f"pages forgotten by {loss}"] > 0
    assert sum(count for what, count in outcome.tally.items() if what.startswith("lost replies")) > 0


def test_a_seed_repeats_its_schedule() -> None:
    assert schedule("1", 60, SINGLE, (1, 2)) == schedule("1", 60, SINGLE, (1, 2))
    assert schedule("1", 60, SINGLE, (1, 2)) != schedule("2", 60, SINGLE, (1, 2))
    assert {blow.what for blow in schedule("1", 600, PROCESSES, (0.3, 1.0))} == set(PROCESSES)
