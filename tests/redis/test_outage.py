"""A source that is down: how often the whole fleet asks it, how slices wait for it, and what ends the waiting."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from pagefleet_worker.advance import Station, advance
from pagefleet_worker.budget import LIFE, LONGEST_OUTAGE, FleetBudget
from pagefleet_worker.clients import Clients

from pagefleet import fleet as library
from pagefleet.crawl import Crawl
from pagefleet.errors import FetchError, RetryLater, RetryNow, Stop
from pagefleet.keys import budget
from pagefleet.settings import Settings
from pagefleet.states import State
from tests.api import api, description
from tests.redis.actors import Case, calls, case

ORIGIN = "https://api.example.org"
KEY = budget(ORIGIN)
MOST, PROBE = 20, 10_000
"""As in retry.lua and token.lua."""
REFUSED = RetryLater("connection refused", 0.0, is_down=True)


@dataclass
class Fleet:
    """Workers, each with a budget of its own as a process has, and how often they have asked the source."""

    c: Case
    workers: int = 3
    rate: str | None = None
    asked: int = 0
    budgets: list[FleetBudget] = field(default_factory=list[FleetBudget])

    def __post_init__(self) -> None:
        self.budgets = [FleetBudget(self.c.scripts, ORIGIN, self.rate) for _ in range(self.workers)]

    async def slice(self, number: int, *, answers: bool = False, attempts: int = 1000) -> FetchError | None:
        """One page of one slice; answers why it is put back, or None."""
        tokens = self.budgets[number % self.workers]
        try:
            for _ in range(attempts):
                await tokens.token()
                self.asked += 1
                if answers:
                    tokens.answered()
                    return None
                await tokens.pause(REFUSED, f"slice:{number}")
        except FetchError as later:
            return later
        return Stop("all attempts are used up")

    async def slices(self, count: int, *, answers: bool = False) -> list[FetchError | None]:
        return await asyncio.gather(*(self.slice(number, answers=answers) for number in range(count)))


@asynccontextmanager
async def fleet(url: str, workers: int = 3, rate: str | None = None) -> AsyncGenerator[Fleet]:
    async with case(url) as c:
        yield Fleet(c, workers, rate)


async def left(c: Case) -> int:
    """Until a request may be sent, in whole ms."""
    return int(float(await c.call("HGET", KEY, "down"))) - await c.now()


async def pass_time(c: Case) -> None:
    """The wait is over."""
    await c.call("HSET", KEY, "down", await c.now() - 1)


async def go_down(there: Fleet) -> None:
    """Until nobody asks any more."""
    assert all(isinstance(found, RetryLater) for found in await there.slices(MOST + 1))
    assert await there.c.call("HGET", KEY, "wait") == b"5000"
    assert await left(there.c) <= 5000


@pytest.mark.invariant("L-6")
async def test_the_whole_fleet_asks_a_few_times_again_and_no_more(redis_url: str) -> None:
    async with fleet(redis_url) as there:
        found = await there.slices(300)
        assert {type(one) for one in found} == {RetryLater}
        assert there.asked <= 300 + MOST
        before = there.asked
        found = await there.slices(300)
        assert there.asked == before
        for one in found:
            assert isinstance(one, RetryLater)
            assert 0 < one.seconds <= 5
            assert str(one).startswith(f"{ORIGIN} has been down for 0:00:0")


NOT_AGAIN = RetryNow("connection refused", is_down=True)


async def test_who_is_alone_uses_up_its_own_attempts(redis_url: str) -> None:
    """As ever: a mistyped URL is told of in seconds, and not after a day; also when workers hand it to each other, and
    when it is tried again at once."""
    async with fleet(redis_url) as there:
        for _ in range(3):
            assert isinstance(await there.slice(0, attempts=2 * MOST), Stop)
            await there.budgets[1].pause(REFUSED, "slice:0")
            await there.budgets[1].give_up("slice:0", NOT_AGAIN)
            assert await there.c.call("EXISTS", KEY) == 0
        assert there.asked == 3 * 2 * MOST


async def test_what_is_long_ago_was_another_trouble(redis_url: str) -> None:
    async with fleet(redis_url) as there:
        await there.budgets[0].pause(REFUSED, "slice:0")
        await there.c.call("HSET", KEY, "seen", await there.c.now() - 121_000)
        await there.budgets[1].give_up("slice:1", NOT_AGAIN)


@pytest.mark.invariant("L-6")
async def test_no_crawl_fails_where_others_have_no_answer_either(redis_url: str) -> None:
    async with fleet(redis_url) as there:
        await there.budgets[1].pause(REFUSED, "slice:1")
        assert isinstance(await there.slice(0, attempts=4), Stop)
        with pytest.raises(RetryLater, match=r"has been down for 0:00:0\d \(connection refused\)") as later:
            await there.budgets[0].give_up("slice:0", NOT_AGAIN)
        assert later.value.seconds == 5
        await go_down(there)
        with pytest.raises(RetryLater):
            await there.budgets[0].give_up("slice:0", NOT_AGAIN)


@pytest.mark.invariant("L-6")
@pytest.mark.parametrize("rate", [None, "50/s"])
async def test_one_request_at_a_time_sees_whether_it_is_up(redis_url: str, rate: str | None) -> None:
    """And after each that is not answered the fleet waits longer, up to five minutes."""
    async with fleet(redis_url, rate=rate) as there:
        await go_down(there)
        for seconds in (10, 20, 40, 80, 160, 300, 300):
            await pass_time(there.c)
            before = there.asked
            found = await there.slices(30)
            assert there.asked == before + 1
            assert {type(one) for one in found} == {RetryLater}
            assert await there.c.call("HGET", KEY, "wait") == b"%d" % (1000 * seconds)
            assert await left(there.c) <= 1000 * seconds
            assert await there.c.call("PTTL", KEY) > 1000 * seconds + PROBE


async def test_a_probe_that_is_never_heard_of_again_is_followed_by_another(redis_url: str) -> None:
    async with fleet(redis_url) as there:
        await go_down(there)
        for _ in range(3):
            await pass_time(there.c)
            await there.budgets[0].token()
            assert 0 < await left(there.c) <= PROBE
            with pytest.raises(RetryLater):
                await there.budgets[1].token()


@pytest.mark.invariant("L-6")
async def test_an_answer_ends_it_for_all(redis_url: str) -> None:
    async with fleet(redis_url) as there:
        await go_down(there)
        await pass_time(there.c)
        assert await there.slice(0, answers=True) is None
        assert await there.slice(0, answers=True) is None  # the same worker: its question tells of the answer
        assert await there.slices(30, answers=True) == [None] * 30
        assert await there.c.call("HKEYS", KEY) == []
        moment = await there.c.now()
        while await there.c.now() <= moment + 20:  # an answer may seem to have come so much later than it did
            pass
        await go_down(there)  # as if for the first time


async def test_an_answer_of_before_does_not_end_it(redis_url: str) -> None:
    async with fleet(redis_url) as there:
        assert await there.slices(3, answers=True) == [None] * 3
        await there.c.call("PING")
        until = time.monotonic() + LIFE
        while time.monotonic() < until:
            await there.c.call("PING")
        await go_down(there)
        assert {type(one) for one in await there.slices(30)} == {RetryLater}


async def test_a_source_that_answers_now_and_then_is_not_down(redis_url: str) -> None:
    """Half of the requests meet a fault, and each is sent again until it is answered."""
    async with fleet(redis_url) as there:
        for _ in range(100):
            await there.budgets[0].token()
            await there.budgets[0].pause(REFUSED, "slice:0")
            await there.budgets[1].token()
            there.budgets[1].answered()
            await there.budgets[1].pause(REFUSED, "slice:1")  # which tells of the answer
        assert not await there.c.call("HEXISTS", KEY, "wait")


@pytest.mark.invariant("L-6")
async def test_after_a_day_the_crawls_that_wait_for_it_fail(redis_url: str) -> None:
    async with fleet(redis_url) as there:
        await go_down(there)
        since = await there.c.now() - LONGEST_OUTAGE * 1000
        await there.c.call("HSET", KEY, "since", since + 60_000)
        assert isinstance(await there.slice(1), RetryLater)
        await there.c.call("HSET", KEY, "since", since)
        failed = await there.slice(1)
        assert isinstance(failed, Stop)
        said = r" has been down for 1 day, 0:00:0\d; see whether it is there, and resume the crawl when it is"
        assert re.match(ORIGIN + said, str(failed))
        await pass_time(there.c)
        failed = await there.slice(2)
        assert isinstance(failed, Stop)
        assert re.search(r"1 day, 0:00:0\d \(connection refused\); see whether", str(failed))


async def test_it_costs_no_question_more_while_all_goes_well(redis_url: str) -> None:
    async with fleet(redis_url, workers=1) as there:
        asked, began = await calls(there.c, "evalsha"), time.monotonic()
        while time.monotonic() < began + 3 * LIFE:
            assert await there.slice(0, answers=True) is None
            await there.c.call("PING")
        assert await calls(there.c, "evalsha") - asked <= (time.monotonic() - began) / LIFE + 2
        assert there.asked > 50
        assert await there.c.call("EXISTS", KEY) == 0


@pytest.mark.invariant("L-5")
@pytest.mark.parametrize("hours", [1, 3])
async def test_after_the_clock_went_back_it_is_asked_as_before(redis_url: str, hours: int) -> None:
    """It has been down for two hours; that Redis' clock goes back is as if all that it noted lay ahead."""
    async with fleet(redis_url) as there:
        await go_down(there)
        now, hour = await there.c.now(), 3_600_000
        noted = {"since": now + (hours - 2) * hour, "down": now + hours * hour + 4000}
        await there.c.call("HSET", KEY, *(word for pair in noted.items() for word in pair))
        before = there.asked
        await there.slices(30)
        assert before < there.asked <= before + MOST + 30
        assert await left(there.c) <= PROBE


@pytest.mark.invariant("L-6")
@pytest.mark.parametrize("others", [False, True])
async def test_a_crawl_of_a_source_that_nobody_listens_at(redis_url: str, others: bool) -> None:
    """By a worker: alone it fails when its attempts are used up, and else it waits."""
    with api() as server:
        said = description(server.url, "x") | {"limits": {"attempts": 2}}
    async with library.Fleet(redis_url) as there, Clients(Settings()) as clients, case(redis_url) as c:
        handle = await there.enqueue(Crawl.model_validate(said))
        c.keys = handle.keys
        if others:
            await c.scripts.retry(server.url, "other:0")
        number = await c.claim()
        await advance({"station": Station("worker", there, clients, Settings())}, c.keys.tag, number)
        await c.drop(number)
        status = await handle.status()
        if others:
            assert status.state is State.SNOOZED
            assert status.reason.startswith(f"{server.url} has been down for 0:00:0")
            await handle.cancel()
        else:
            assert status.state is State.FAILED
            assert "at each of 2 attempts" in status.error
