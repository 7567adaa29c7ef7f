"""arq's worker with our settings: it carries jobs, runs the loop and listens to signals. The truth is in the slices."""

import asyncio
import json
import logging
import math
import os
import secrets
import socket
from signal import Signals
from typing import Any

from arq.connections import ArqRedis
from arq.worker import Worker, func
from redis.exceptions import RedisError

from pagefleet.connection import LONGEST_BACKOFF, open_pool, without_password
from pagefleet.fleet import Fleet
from pagefleet.keys import QUEUE
from pagefleet.release import version
from pagefleet.settings import Settings
from pagefleet.tasks import ended
from pagefleet_worker.advance import Station, advance
from pagefleet_worker.clients import Clients
from pagefleet_worker.watchdog import watchdog

log = logging.getLogger("pagefleet.worker")

MONTH = 30 * 24 * 3600 * 1000
GRACE = 5
"""Seconds for jobs to end after a signal. They need a fraction of one, and 2 s when Redis is away; what then still
waits is arq's bookkeeping. Above 0 it keeps arq from cancelling jobs at once."""


class FleetWorker(Worker):
    """arq's worker, drained by SIGTERM and SIGINT, and not to be put off by a Redis that goes away."""

    def handle_sig_wait_for_completion(self, signum: Signals) -> None:
        station: Station = self.ctx["station"]
        station.drain()
        super().handle_sig_wait_for_completion(signum)

    async def main(self) -> None:
        """arq begins by asking Redis about itself, and would end if that is away just then."""
        while True:
            try:
                return await super().main()
            except (RedisError, OSError) as error:
                log.warning("starting arq: %s; trying again", error)
                await asyncio.sleep(LONGEST_BACKOFF)

    async def _poll_iteration(self) -> None:
        try:
            await super()._poll_iteration()
        except (RedisError, OSError) as error:
            log.warning("polling arq's queue: %s; polling on", error)
            await self._recount()

    async def run_job(self, job_id: str, score: int) -> None:
        """A job that arq cannot begin or end is not lost: its slice is rescued. Redis may be away, or arq may have let
        go of it at its own end."""
        try:
            await super().run_job(job_id, score)
        except (RedisError, OSError) as error:
            log.warning("arq's part in the job %s: %s; going on", job_id, error)
        except AttributeError:
            if self._pool is not None:
                raise

    async def _recount(self) -> None:
        """arq counts a job before it has taken it, and forgets to uncount it when Redis goes away in between."""
        running = sum(not task.done() for task in self.tasks.values())
        self.sem = asyncio.BoundedSemaphore(self.max_jobs + 1)
        for _ in range(running):
            await self.sem.acquire()
        self.job_counter = running

    async def _wait_for_tasks_to_complete(self, signum: Signals) -> None:
        """arq looks ten times a second; jobs that drain end sooner."""
        await asyncio.wait(self.tasks.values(), timeout=GRACE) if self.tasks else None
        for task in self.tasks.values():
            task.cancel()
        if self.main_task:
            await ended(self.main_task)


async def work(url: str, settings: Settings, concurrency: int) -> None:
    """Advance slices until a signal comes; raises `RedisUnusable` when there is nothing to start on."""
    async with watchdog(settings.hang), Fleet(url, patience=math.inf) as fleet, Clients(settings) as clients:
        name = f"{socket.gethostname()}:{os.getpid()}"
        station = Station(name, fleet, clients, settings)
        here = without_password(url)
        log.info("%s starts: %d slices at once, Redis at %s, pagefleet %s", name, concurrency, here, version())
        pool = ArqRedis(
            connection_pool=open_pool(url, is_patient=True),
            job_serializer=_dumps,
            job_deserializer=json.loads,
            default_queue_name=QUEUE,
            expires_extra_ms=MONTH,
        )
        worker = FleetWorker(
            functions=[func(advance, name="advance")],
            redis_pool=pool,
            queue_name=QUEUE,
            ctx={"station": station},
            max_jobs=concurrency,
            poll_delay=settings.poll,
            queue_read_limit=1000,
            job_timeout=24 * 3600,
            max_tries=1000,
            keep_result=0,
            log_results=False,
            expires_extra_ms=MONTH,
            job_completion_wait=GRACE,
            health_check_interval=10,
            health_check_key=f"pagefleet:worker:{name}:{secrets.token_hex(4)}",
            job_serializer=_dumps,
            job_deserializer=json.loads,
        )
        try:
            await worker.async_run()
        except asyncio.CancelledError:
            log.info("drained")
        finally:
            await _close(worker)


async def _close(worker: FleetWorker) -> None:
    """Redis may be away: nobody waits for that."""
    try:
        async with asyncio.timeout(2.0):
            await worker.close()
    except (TimeoutError, asyncio.CancelledError, RedisError, OSError) as error:
        log.warning("closing the worker: %r", error)


def _dumps(job: dict[str, Any]) -> bytes:
    return json.dumps(job, default=repr).encode()
