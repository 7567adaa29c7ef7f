"""Budgets never exceed their rate, and make nobody wait longer than it asks for."""

import asyncio
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagefleet.budget import Bucket, LocalBudget, LocalBudgets
from pagefleet.errors import RetryLater


class Clock:
    """Time that the test owns."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


intervals = st.floats(0.0001, 1000)
pauses = st.one_of(st.just(None), st.floats(0, 5))
"""Before the next question: as long as the bucket said, or a number of intervals."""


@given(intervals, st.floats(0, 1e9), st.lists(pauses, max_size=50))
def test_no_rate_is_exceeded(interval: float, start: float, waits: list[float | None]) -> None:
    clock, granted, said = Clock(start), list[float](), 0.0
    bucket = Bucket(interval, clock)
    for wait in waits:
        clock.now += said if wait is None else wait * interval
        said = bucket.take()
        if said == 0:
            granted.append(clock.now)
    rounding = 1e-6 * interval + start * 1e-15
    assert all(later - earlier >= interval - rounding for earlier, later in pairwise(granted))


@given(intervals, st.integers(1, 50))
def test_who_waits_as_told_gets_the_whole_rate(interval: float, count: int) -> None:
    clock = Clock(0.0)
    bucket, granted = Bucket(interval, clock), 0
    while granted < count:
        said = bucket.take()
        granted += said == 0
        assert said <= interval * 1.000001
        clock.now += said
    assert clock.now <= (count - 1) * interval * 1.000001


def test_a_long_silence_earns_no_burst() -> None:
    clock = Clock(0.0)
    bucket = Bucket(1.0, clock)
    assert bucket.take() == 0
    clock.now = 100.0
    assert bucket.take() == 0
    assert bucket.take() == 1.0


def test_no_interval_is_no_limit() -> None:
    bucket = Bucket(clock=Clock(7.0))
    assert [bucket.take() for _ in range(100)] == [0.0] * 100


async def test_many_tasks_share_one_budget() -> None:
    budget, times = LocalBudget(0.005), list[float]()

    async def send() -> None:
        await budget.token()
        times.append(time.monotonic())

    async with asyncio.TaskGroup() as group:
        for _ in range(20):
            group.create_task(send())
    assert times[-1] - times[0] > 0.99 * 19 * 0.005


def test_plain_code_waits_too() -> None:
    budget, started = LocalBudget(0.005), time.monotonic()
    for _ in range(10):
        budget.token_sync()
    assert time.monotonic() - started > 0.99 * 9 * 0.005


async def test_patience_is_waited_for_in_place() -> None:
    started = time.monotonic()
    await LocalBudget().pause(RetryLater("later", 0.02, is_source=True))
    assert time.monotonic() - started > 0.019


def test_each_origin_has_one() -> None:
    budgets = LocalBudgets("1/h")
    assert budgets("https://a.example:443") is budgets("https://a.example:443")
    assert budgets("https://a.example:443") is not budgets("http://a.example:80")


async def test_no_rate_is_no_limit() -> None:
    budget = LocalBudgets(None)("https://a.example:443")
    async with asyncio.timeout(5):
        for _ in range(1000):
            await budget.token()


@pytest.mark.parametrize(("rate", "interval"), [("2/s", 0.5), ("30/min", 2.0)])
def test_a_rate_is_an_interval(rate: str, interval: float) -> None:
    clock = Clock(0.0)
    bucket = Bucket(LocalBudgets(rate)._interval, clock)  # pyright: ignore[reportPrivateUsage]
    bucket.take()
    assert bucket.take() == interval
