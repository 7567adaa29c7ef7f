"""A source that is down for a while, and many crawls that want something of it."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pagefleet import Crawl, Fleet, State, Status
from tests.api import api, description
from tests.machine import Machine, assert_nothing_left, assert_whole, machine, wait_until

pytestmark = pytest.mark.chaos
CRAWLS = 400
MOST = 20
"""Requests that are sent again, as in retry.lua."""


@pytest.fixture(name="here")
async def _here(tmp_path: Path) -> AsyncIterator[Machine]:
    with machine(tmp_path) as started:
        await started.answers()
        for _ in range(2):
            started.start_worker(20)
        started.start_scheduler()
        yield started


async def snoozed(fleet: Fleet, count: int) -> list[Status]:
    """The crawls, once all of them wait."""

    async def fact() -> list[Status] | None:
        found = await fleet.crawls()
        return found if sum(status.state is State.SNOOZED for status in found) == count else None

    return await wait_until(fact)


async def finished(fleet: Fleet, count: int) -> None:
    async def fact() -> bool:
        return sum(status.state is State.FINISHED for status in await fleet.crawls()) == count

    await wait_until(fact, 100)


@pytest.mark.invariant("L-6")
async def test_a_source_that_is_down_is_asked_hardly_more_often_than_there_are_pages(here: Machine) -> None:
    """Of one page each. No crawl fails, and all are whole when it is up again."""
    with api() as server:
        server.status = 503
        async with Fleet(here.url) as fleet:
            for number in range(CRAWLS):
                said = description(server.url, f"c{number}", "next_url", count=10, size=10)
                await fleet.enqueue(Crawl.model_validate({**said, "name": f"c{number}"}))
            statuses = await snoozed(fleet, CRAWLS)
            reasons = {status.reason.partition(" has been down for ")[0] for status in statuses}
            assert reasons == {server.url}
            during = len(server.asked())
            server.status, began = 0, time.monotonic()
            await finished(fleet, CRAWLS)
            print(f"{during} requests while it was down, {len(server.asked())} for {CRAWLS} pages in all;", end=" ")
            print(f"finished {time.monotonic() - began:.1f} s after it was up again")
            assert len(server.asked()) <= 1.1 * CRAWLS + MOST
            for number in range(0, CRAWLS, 40):
                await assert_whole(fleet.crawl(f"c{number}"), f"c{number}", 10)
                events = await fleet.crawl(f"c{number}").events()
                assert not [event for event in events if event.after is State.FAILED]
    await assert_nothing_left(here.url)


async def test_a_source_that_nobody_listens_at(here: Machine) -> None:
    """In the middle of its crawls; they go on where they were."""
    async with Fleet(here.url) as fleet:
        with api() as first:
            for number in range(12):
                said = description(first.url, f"c{number}", count=400, delay=0.1)
                await fleet.enqueue(Crawl.model_validate({**said, "name": f"c{number}"}))
            await first.has_been_asked(100)
        assert {status.documents > 0 for status in await snoozed(fleet, 12)} == {True}
        with api(port=int(first.url.rpartition(":")[2])):
            await finished(fleet, 12)
        for number in range(12):
            await assert_whole(fleet.crawl(f"c{number}"), f"c{number}", 400)
            assert not [event for event in await fleet.crawl(f"c{number}").events() if event.after is State.FAILED]
    await assert_nothing_left(here.url)
