"""Time limits that share a timer."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from pagefleet.tasks import TimeLimits

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
FOREVER = 60.0


@pytest.fixture(params=LOOPS)
def runner(request: pytest.FixtureRequest) -> asyncio.Runner:
    loop: Callable[[], asyncio.AbstractEventLoop] = LOOPS[request.param]
    return asyncio.Runner(loop_factory=loop)


async def cut_off(limits: TimeLimits, seconds: float) -> float:
    """How long it took."""
    loop = asyncio.get_running_loop()
    task: Any = asyncio.current_task()
    started, before = loop.time(), task.cancelling()
    with pytest.raises(TimeoutError), limits.within(seconds):
        await asyncio.sleep(FOREVER)
    assert task.cancelling() == before
    return loop.time() - started


async def in_time(limits: TimeLimits, seconds: float) -> None:
    with limits.within(seconds):
        await asyncio.sleep(0)


def test_each_has_its_own_time(runner: asyncio.Runner) -> None:
    """Longer ones first, and shorter ones beside them, with others that end in time before and between."""

    async def several() -> None:
        limits = TimeLimits()
        await in_time(limits, FOREVER)
        waiting = [asyncio.create_task(cut_off(limits, seconds)) for seconds in (0.3, 0.1, 0.2)]
        for _ in range(20):
            await in_time(limits, 0.15)
            await asyncio.sleep(0.02)
        for seconds, took in zip((0.3, 0.1, 0.2), await asyncio.gather(*waiting), strict=True):
            assert seconds - 0.01 <= took < seconds + 2

    with runner:
        runner.run(several())


def test_a_cancellation_of_others_stays_one(runner: asyncio.Runner) -> None:
    async def cancelled() -> None:
        limits = TimeLimits()
        waiting = asyncio.create_task(cut_off(limits, FOREVER))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    with runner:
        runner.run(cancelled())


def test_within_each_other(runner: asyncio.Runner) -> None:
    """The outer one ends what the inner one would still have waited for."""

    async def nested() -> None:
        limits = TimeLimits()
        with pytest.raises(TimeoutError), limits.within(0.05):
            await cut_off(limits, FOREVER)
        with limits.within(FOREVER):
            await cut_off(limits, 0.05)
            await asyncio.sleep(0.05)

    with runner:
        runner.run(nested())
