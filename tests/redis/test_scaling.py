"""The simulation of `docs/scaling.md` against a real fleet: what it sends to Redis, and nothing of how fast that is."""

from dataclasses import fields
from pathlib import Path

from benchmarks import servers
from benchmarks.scaling.model import Costs
from benchmarks.scaling.real import seen, told
from benchmarks.scaling.stage import looking


async def test_a_real_fleet_sends_what_a_simulated_one_sends(tmp_path: Path) -> None:
    """Coarse, since a busy machine makes workers late: half as much, or one and a half times."""
    with servers.redis(tmp_path) as redis_url:
        real = await seen(tmp_path, redis_url, workers=2, slices=10, seconds=4)
        with looking(redis_url) as redis:
            assert redis.zcard("pagefleet:due") == 0
    simulated = told(Costs(**{one.name: 1.0 for one in fields(Costs)}), 2, 10, real.pages)
    assert 0.3 < real.polls / simulated.polls < 1.5
    assert 0.5 < real.scripts / simulated.scripts < 1.5
