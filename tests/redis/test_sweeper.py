"""Schedulers: any number of them does what one does, and a Redis that was away is no reason to rescue everybody."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from pagefleet_scheduler.scheduler import Sweeper, rest, schedule

from pagefleet.keys import DUE, SliceKeys
from pagefleet.scripts import Scripts
from pagefleet.settings import Settings
from pagefleet.tasks import ended
from tests.redis.actors import HOUR, LEASE, Case, Hand, case, wait_until

PATIENCE = 1.0
"""Seconds: the length of a lease, to the schedulers here. They let it pass when Redis was away for half of it."""


def sweeper(c: Case) -> Sweeper:
    return Sweeper(c.redis, c.scripts, Settings(lease=PATIENCE, renew=PATIENCE / 3))


@asynccontextmanager
async def leased(url: str, crawls: int) -> AsyncGenerator[list[tuple[Case, Hand]]]:
    """Crawls in the hands of workers; in the end all of them are finished."""
    async with case(url, 1, 1) as c:
        every = [replace(c, keys=SliceKeys(f"crawl{number}")) for number in range(crawls)]
        for one in every:
            await one.enqueue()
        yield [(one, await one.lease()) for one in every]
        for one in every:
            if await one.state() == "queued":
                await one.finish(await one.lease())
            assert await one.state() == "finished"
            assert await one.is_whole()


@pytest.mark.invariant("O-6")
async def test_five_schedulers_at_once_rescue_each_slice_once(redis_url: str) -> None:
    async with leased(redis_url, 40) as every:
        for one, _ in every:
            await one.run_out()
        swept = await asyncio.gather(*(sweeper(every[0][0]).sweep() for _ in range(5)))
        assert sum(swept, Counter[str]())["rescued"] == 40
        for one, _ in every:
            row = await one.row()
            assert (row["rescued"], row["leases"]) == ("1", "2")
        assert sorted(await every[0][0].jobs()) == sorted(f"{one.keys.tag}:2" for one, _ in every)


async def test_a_sweep_that_did_not_get_through_is_soon_followed_by_the_next(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the usual rest behind each, one slice a sweep, these would take ten seconds."""
    monkeypatch.setattr("pagefleet_scheduler.scheduler.AT_ONCE", 1)
    async with leased(redis_url, 20) as every:
        c = every[0][0]
        await c.call("ZADD", DUE, time.time() * 1000 + HOUR, "gone:0")

        async def has_looked_at_all() -> bool:
            """Only the first sweep looks at what is due in an hour, and at that last; of no slice nothing is left."""
            return await c.call("ZSCORE", DUE, "gone:0") is None

        async def are_rescued() -> bool:
            return {await one.state() for one, _ in every} == {"queued"}

        scheduling = asyncio.create_task(schedule(redis_url, Settings(sweep=0.5)))
        try:
            await wait_until(has_looked_at_all)
            for one, _ in every:
                await one.run_out()
            await wait_until(are_rescued)
        finally:
            await ended(scheduling)


@pytest.mark.parametrize(
    ("found", "took", "usual"),
    [
        (Counter[str](), 0.001, 0.5),
        (Counter(leased=199), 0.1, 0.5),
        (Counter(leased=150, waiting=50), 0.2, 0.1),
        (Counter(waiting=60_000), 9.0, 0.5),
        (Counter(waiting=199, broken=1), 0.1, 0.5),
    ],
)
def test_a_scheduler_rests_behind_each_sweep(found: Counter[str], took: float, usual: float) -> None:
    """Behind a full one for half as long as it took, and never longer than behind others; no two for quite as long."""
    rests = {rest(found, took, Settings(sweep=0.5)) for _ in range(100)}
    assert len(rests) > 1
    assert all(0.7 * usual <= one <= 1.3 * usual for one in rests)


async def test_what_is_no_slice_is_told_of_and_changes_nothing(redis_url: str) -> None:
    """It stays due; a sweep with it in it is followed by a rest in any case."""
    async with case(redis_url, 1) as c:
        await c.call("ZADD", DUE, 1, "junk")
        assert await sweeper(c).sweep() == Counter(broken=1)
        await c.call("ZREM", DUE, "junk")


@dataclass
class SlowLooks:
    """In place of the scheduler's clock and its scripts: each look takes so many seconds, by that clock."""

    scripts: Scripts
    seconds: list[float]
    now: float = 0.0

    def monotonic(self) -> float:
        return self.now

    async def rescue(self, keys: SliceKeys) -> str:
        self.now += self.seconds.pop(0)
        return await self.scripts.rescue(keys)


@asynccontextmanager
async def slow(
    url: str, monkeypatch: pytest.MonkeyPatch, seconds: list[float], due: float = 1
) -> AsyncGenerator[tuple[Sweeper, SlowLooks]]:
    """A scheduler with a lease of 6 s, and as many slices that are over as looks."""
    async with case(url, 1) as c:
        looks: Any = SlowLooks(c.scripts, seconds)
        monkeypatch.setattr("pagefleet_scheduler.scheduler.time", looks)
        await c.call("ZADD", DUE, *(part for n, _ in enumerate(seconds) for part in (due + n, f"gone{n}:0")))
        yield Sweeper(c.redis, looks, Settings()), looks


async def test_a_long_sweep_is_no_gap(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler that starts looks at all slices at once, which may take longer than half a lease."""
    async with slow(redis_url, monkeypatch, [0.1] * 50) as (watching, _):
        assert await watching.sweep() == Counter(over=50)


async def test_a_look_at_everything_that_broke_off_is_made_again(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new primary's clock is behind, and what is left may be due in an hour only."""
    async with slow(redis_url, monkeypatch, [0.1, 4.0, 0.1, 0.1], due=time.time() * 1000 + HOUR) as (watching, looks):
        assert await watching.sweep() == Counter(over=2)
        looks.now += 7.0
        assert await watching.sweep() == Counter(over=2)


@pytest.mark.invariant("C-13")
async def test_a_redis_that_is_away_in_the_middle_of_a_sweep(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is behind that look is looked at when a lease is over."""
    async with slow(redis_url, monkeypatch, [0.1, 4.0, 0.1, 0.1]) as (watching, looks):
        assert await watching.sweep() == Counter(over=2)
        looks.now += 2.9
        assert await watching.sweep() == Counter()
        looks.now += 2.9
        assert await watching.sweep() == Counter()
        looks.now += 0.5
        assert await watching.sweep() == Counter(over=2)


@pytest.mark.invariant("C-13")
async def test_a_redis_that_was_away_is_no_reason_to_rescue_everybody(redis_url: str) -> None:
    """The leases ran out meanwhile. Who is still there renews; who has died is rescued, a lease later."""
    async with leased(redis_url, 4) as every:
        (dead, _), *alive = every
        watching = sweeper(dead)
        assert await watching.sweep() == Counter(leased=4)
        for one, _ in every:
            await one.run_out()
        await dead.call("CLIENT", "PAUSE", round(1000 * PATIENCE * 0.7), "ALL")
        assert not await watching.sweep()
        for one, hand in alive:
            assert await one.scripts.renew(one.keys, hand.fence, LEASE) == "running"
        found = Counter[str]()

        async def is_rescued() -> bool:
            found.update(await watching.sweep())
            return await dead.state() == "queued"

        await wait_until(is_rescued)
        assert found["rescued"] == 1
        for one, hand in alive:
            await one.finish(hand)
