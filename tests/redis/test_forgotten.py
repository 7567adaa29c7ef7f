"""Redis goes back to an earlier state while a consumer reads: both go on, and nothing is handed out twice."""

import asyncio

import pytest

from pagefleet import Fleet, Handle
from pagefleet.tasks import ended
from tests.redis.actors import Case, case, wait_until

HOUR = 3600.0
"""A snooze that no test waits for: only an acknowledgement ends it."""


async def turn(here: Case) -> None:
    """A scheduler looks if it is time, and a worker works until the stream is full."""
    if await here.state() == "snoozed" and await here.due() <= 0:
        await here.scripts.rescue(here.keys)
    if await here.state() == "queued":
        hand = await here.lease()
        while (committed := await here.commit(hand)).state == "running":
            if committed.answer == "full":
                await here.scripts.release(here.keys, hand.fence, "snoozed", HOUR, "backlog")
                return


async def go_back(here: Case, before: dict[bytes, bytes]) -> None:
    """In one step: a reader must not see the empty Redis in between."""
    async with here.redis.pipeline(transaction=True) as pipe:
        pipe.flushall()
        for name, value in before.items():
            pipe.restore(name, 0, value)
        await pipe.execute()


async def read_all(handle: Handle, consumer: str | None, read: list[str]) -> None:
    async for document in handle.documents(consumer):
        read.append(document.id)  # noqa: PERF401  # others look at it meanwhile


@pytest.mark.invariant("C-15", "L-1")
@pytest.mark.parametrize("consumer", ["reader", None])
async def test_what_a_reader_acknowledged_may_be_forgotten(redis_url: str, consumer: str | None) -> None:
    """The slice waits for room then, and the reader for documents behind those that Redis still has."""
    async with case(redis_url, *[2] * 12) as here, Fleet(redis_url) as fleet:
        await here.enqueue(backlog=4)
        await turn(here)
        before, handle, read = await here.dump(), fleet.crawl("crawl"), list[str]()
        reading = asyncio.create_task(read_all(handle, consumer, read))

        async def has_read() -> bool:
            await turn(here)
            return len(read) >= 8

        async def is_waiting() -> bool:
            done = set((await handle.consumers()).values())
            return done == {read[-1]} and here.source.chain(*await here.position())[-1][0] == read[-1]

        async def has_ended() -> bool:
            await turn(here)
            return reading.done()

        try:
            await wait_until(has_read)
            await wait_until(is_waiting)
            await go_back(here, before)
            await wait_until(has_ended, 20)
        finally:
            await ended(reading)
        await reading
        assert read == [entry for entry, _ in here.source.whole()]
