"""Rescues in a row: a page that ends or stalls its workers rests longer each time, and fails with its reason."""

import pytest

from pagefleet.keys import QUEUE
from tests.redis.actors import Case, case


async def abandon(c: Case) -> str:
    """A worker leases and dies; a scheduler comes when the lease, or the rest before it, is over."""
    if await c.state() == "snoozed":
        await c.run_out()
        assert await c.scripts.rescue(c.keys) == "enqueued"
    await c.lease()
    await c.run_out()
    return await c.scripts.rescue(c.keys)


async def test_a_page_that_ends_its_workers_rests_longer_each_time_and_then_fails(redis_url: str) -> None:
    async with case(redis_url, 2, 2, 2) as c:
        await c.enqueue()
        await c.commit(await c.lease())
        await c.run_out()
        assert await c.scripts.rescue(c.keys) == "rescued"
        assert await c.state() == "queued"  # the first time at once
        for times, seconds in enumerate([1, 2, 4, 8, 16, 32, 60, 60, 60], 2):
            assert await abandon(c) == "rescued"
            row = await c.row()
            assert (row["state"], row["fence"], row["worker"]) == ("snoozed", "", "")
            assert row["reason"] == f"rescued {times} times in a row at page 2"
            assert 1000 * seconds - 900 < await c.due() <= 1000 * seconds
            assert await c.scripts.rescue(c.keys) == "snoozed"
        assert await abandon(c) == "failed"
        row = await c.row()
        assert (row["state"], row["page"], row["rescued"], row["fence"]) == ("failed", "2", "10", "")
        assert row["error"] == (
            'rescued 10 times in a row without a commit: whoever works on page 2 (cursor {"after":1}) dies or stalls; '
            "see the workers' logs, mend that, and resume"
        )
        assert await c.scripts.rescue(c.keys) == "over"
        assert await c.is_whole()


async def test_a_commit_ends_the_row_of_rescues(redis_url: str) -> None:
    async with case(redis_url, *[1] * 25) as c:
        await c.enqueue()
        for _ in range(24):
            await c.commit(await c.lease())
            await c.run_out()
            assert await c.scripts.rescue(c.keys) == "rescued"
            assert await c.state() == "queued"
        await c.finish(await c.lease())
        assert (await c.row())["rescued"] == "24"


async def test_a_part_of_a_page_ends_the_row_too(redis_url: str) -> None:
    async with case(redis_url, 9) as c:
        await c.enqueue()
        await abandon(c)
        await c.commit(await c.lease(), most=2)
        await c.run_out()
        await c.scripts.rescue(c.keys)
        assert await c.state() == "queued"


@pytest.mark.parametrize("state", ["failed", "paused"])
async def test_a_persons_resume_ends_the_row_too(redis_url: str, state: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue()
        while await abandon(c) != "failed" and (await c.row())["rescues"] != "5":
            pass
        while state == "failed" and await c.state() != "failed":
            await abandon(c)
        if state == "paused":
            await c.scripts.steer(c.keys, "pause")
        assert await c.scripts.steer(c.keys, "resume") == "queued"
        assert await abandon(c) == "rescued"
        assert await c.state() == "queued"
        await c.finish(await c.lease())


async def test_a_zombie_is_fenced_while_its_slice_rests(redis_url: str) -> None:
    async with case(redis_url, 2, 2) as c:
        await c.enqueue()
        await abandon(c)
        zombie = await c.lease()
        await c.run_out()
        await c.scripts.rescue(c.keys)
        assert await c.state() == "snoozed"
        assert (await c.commit(zombie)).answer == "fenced"
        assert await c.scripts.release(c.keys, zombie.fence, "queued") == "fenced"
        assert await c.state() == "snoozed"


async def test_jobs_that_are_lost_over_and_over_rest_too(redis_url: str) -> None:
    """A worker that dies between arq's job and its lease has not asked for the page; still nobody gets anywhere."""
    async with case(redis_url, 2) as c:
        await c.enqueue()
        answers: list[str] = []
        while await c.state() != "failed":
            await c.call("DEL", QUEUE)
            answers.append(await c.scripts.rescue(c.keys))
            if await c.state() == "snoozed":
                await c.run_out()
                assert await c.scripts.rescue(c.keys) == "enqueued"
        assert answers == ["rescued"] * 10 + ["failed"]


async def test_a_long_cursor_is_cut_in_the_error(redis_url: str) -> None:
    async with case(redis_url, 2) as c:
        await c.enqueue()
        await c.lease()
        await c.call("HSET", c.keys.slice, "cursor", f'"{"x" * 10_000}"', "rescues", 10, "until", 1)
        assert await c.scripts.rescue(c.keys) == "failed"
        assert 300 < len((await c.row())["error"]) < 400
