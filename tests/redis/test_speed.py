"""The guard of `docs/performance.md`: coarse, for it must fail when half of our speed has gone, and never else."""

from pathlib import Path

import pytest

from benchmarks import servers
from benchmarks.pages import COLLECTIONS, Place
from benchmarks.rounds import per_cpu_second, rounds
from benchmarks.subjects import NAIVE, PRODUCT

TARGET = 15.0
"""Times the documents per CPU second of a loop with httpx, `response.json()` and an XADD for each document."""


@pytest.mark.speed
def test_a_worker_takes_far_less_cpu_than_a_naive_loop(tmp_path: Path) -> None:
    """Both in turns on the same pages, processor time only, the median of three ratios: other load hardly shows."""
    with servers.site(tmp_path, made=["k1"]) as origin, servers.redis(tmp_path) as redis_url:
        place = Place(COLLECTIONS["k1"], 300, 1)
        series = rounds((PRODUCT, NAIVE), origin, place, redis_url, 3, warm=0)
    ratio = series.ratio(PRODUCT, NAIVE, per_cpu_second)
    assert ratio > TARGET / 2, "half of our speed has gone; `make bench ROWS=cpu,profile` says where"
