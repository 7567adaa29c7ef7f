"""arq's worker on a node of a Redis Cluster: as it is, and with a hash tag in its names."""

import asyncio
import json
import re
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from arq import worker as arq_worker
from arq.connections import ArqRedis
from arq.worker import Worker, func
from redis.exceptions import RedisError

from benchmarks.scaling.halves import Slots
from benchmarks.scaling.stage import connected
from pagefleet.connection import open_pool
from pagefleet.keys import QUEUE
from pagefleet.tasks import ended

TAG = "{bus}"
"""A hash tag in arq's queue and in each job id puts all of arq's keys into one slot, but for a constant of its own."""
JOBS = 20
NOW = 1764400000000


class Carrier(Worker):
    """arq's worker, which goes on when Redis refuses what it asks, and keeps the first refusal in mind."""

    carried = 0
    refusal = ""

    async def run_job(self, job_id: str, score: int) -> None:
        """As `FleetWorker` has it."""
        try:
            await super().run_job(job_id, score)
        except RedisError as error:
            self.refusal = self.refusal or str(error)

    async def advance(self, _: dict[Any, Any], __: str, ___: int) -> None:
        """A job."""
        self.carried += 1


async def arq_on(url: str, tag: str) -> str:
    """arq's worker with our settings and jobs, on one node of a cluster."""
    async with AsyncExitStack() as stack:
        redis: Any = await stack.enter_async_context(connected(url))
        await redis.flushall()
        try:
            for number in range(JOBS):
                await _enqueue(redis, f"{tag}{QUEUE}", f"{tag}stories:{number}:1")
        except RedisError as error:
            return f"no job: {_without_address(error)}"
        pool = ArqRedis(open_pool(url), job_serializer=_dumps, job_deserializer=json.loads)
        stack.push_async_callback(pool.aclose, close_connection_pool=True)
        worker = Carrier(
            [func(_carry, name="advance")],
            redis_pool=pool,
            queue_name=f"{tag}{QUEUE}",
            ctx={},
            handle_signals=False,
            keep_result=0,
            poll_delay=0.02,
            health_check_key=f"{tag}worker",
            job_serializer=_dumps,
            job_deserializer=json.loads,
        )
        worker.ctx["worker"] = worker
        working = asyncio.create_task(worker.async_run())
        until = asyncio.get_running_loop().time() + 20
        while worker.carried < JOBS and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110  # arq has no event
            await asyncio.sleep(0.02)
        if worker.tasks:
            await asyncio.wait(worker.tasks.values(), timeout=5)
        queued = await redis.zcard(f"{tag}{QUEUE}")
        await ended(working)
        refused = f"; refused: {_without_address(worker.refusal)}" if worker.refusal else ""
        return f"{worker.carried} of {JOBS} jobs, {queued} still in the queue{refused}"


async def _carry(ctx: dict[Any, Any], tag: str, lease: int) -> None:
    await ctx["worker"].advance(ctx, tag, lease)


def _dumps(job: dict[str, Any]) -> bytes:
    return json.dumps(job, default=repr).encode()


def _without_address(error: object) -> str:
    return re.sub(r" [\d.]+:\d+", "", str(error))


async def _enqueue(redis: Any, queue: str, job: str) -> None:
    body = _dumps({"t": None, "f": "advance", "a": [job, 1], "k": {}, "et": NOW})
    await redis.zadd(queue, {job: NOW})
    await redis.psetex(f"arq:job:{job}", 60_000, body)


async def arq_lines(urls: Sequence[str]) -> list[Sequence[str]]:
    """As it is, and with a tag."""
    async with connected(urls[0]) as first:
        slots = await Slots.of(first)
    lines: list[Sequence[str]] = [
        ("as it is", await arq_on(slots.url(QUEUE), "")),
        (f"with `{TAG}` in the queue's name and in each job's id", await arq_on(slots.url(TAG), TAG)),
    ]
    module: Any = arq_worker  # it has no setting for this
    there = module.abort_jobs_ss
    module.abort_jobs_ss = f"{TAG}{there}"
    try:
        lines.append((f"with `{TAG}` also in its constant `{there}`", await arq_on(slots.url(TAG), TAG)))
    finally:
        module.abort_jobs_ss = there
    return lines
