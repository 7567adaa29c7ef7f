"""The sweep: look at every slice whose time has come, twice a second or so."""

import asyncio
import logging
import math
import os
import random
import socket
import time
from collections import Counter

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from pagefleet.connection import check, open_redis, patiently, without_password
from pagefleet.keys import DUE, SliceKeys
from pagefleet.release import version
from pagefleet.scripts import Scripts
from pagefleet.settings import Settings

log = logging.getLogger("pagefleet.scheduler")

AT_ONCE = 200
"""Slices looked at in one sweep; the rest is looked at in the next, which then follows soon."""


async def schedule(url: str, settings: Settings) -> None:
    """Sweep until cancelled; raises `RedisUnusable` when there is nothing to start on."""
    redis = open_redis(url)
    try:
        await check(redis, url)
        name = f"{socket.gethostname()}:{os.getpid()}"
        log.info("%s starts: Redis at %s, pagefleet %s", name, without_password(url), version())
        sweeper = Sweeper(redis, Scripts(redis, patience=math.inf), settings)
        while True:
            begun = time.monotonic()
            found = await sweeper.sweep()
            await asyncio.sleep(rest(found, time.monotonic() - begun, settings))
    finally:
        await redis.aclose(close_connection_pool=True)


def rest(found: Counter[str], took: float, settings: Settings) -> float:
    """Seconds until the next sweep: the usual ones, or behind a full sweep about half as many as it took.

    Without any, a scheduler looks on for ever while the queue is long: 60,000 slices are a third of Redis' core. With
    the usual ones, more than some 1,700 running slices are looked at too late. What is broken stays due, and fills no
    sweep. By chance it is a little more or less, so that several schedulers do not fall into step.
    """
    is_full = found.total() >= AT_ONCE and not found["broken"]
    return random.uniform(0.7, 1.3) * (min(took / 2, settings.sweep) if is_full else settings.sweep)


class Sweeper:
    """What a scheduler remembers from one sweep to the next: only how time has gone."""

    def __init__(self, redis: Redis, scripts: Scripts, settings: Settings) -> None:
        self._redis = redis
        self._scripts = scripts
        self._settings = settings
        self._looked = time.monotonic()
        self._patient_until = 0.0
        self._clock = 0

    async def sweep(self) -> Counter[str]:
        """Look at what is due; answers how many slices were rescued, enqueued, given up, or left alone and why."""
        self._looked = time.monotonic()  # what was between two sweeps was a rest
        now = await patiently(self._now, "asking Redis for the time", math.inf)
        if self._is_holding_back():
            return Counter()
        latest = "+inf" if not self._clock or now < self._clock - 1000 else now
        self._clock = now
        tags = await patiently(lambda: self._due(latest), "looking for what is due", math.inf)
        found: Counter[str] = Counter()
        for tag in tags:
            if self._is_holding_back():
                self._clock = 0  # what is left of them may not be due for long
                break
            answer = await self._look(tag)
            found[answer] += 1
            if answer in ("rescued", "enqueued"):
                log.info("%s %s", tag, answer)
            elif answer == "failed":
                log.warning("%s failed: rescued over and over; `pagefleet show` says at which page", tag)
        return found

    async def _look(self, tag: str) -> str:
        """One slice that cannot be looked at must not keep the others waiting."""
        try:
            if SliceKeys.of(tag).tag != tag:
                raise ValueError("it is no slice's tag")
            return await self._scripts.rescue(SliceKeys.of(tag))
        except (ResponseError, ValueError) as error:
            log.error("looking at %s: %s; going on with the others", tag, error)
            return "broken"

    def _is_holding_back(self) -> bool:
        """Redis was away: workers that waited for it have their leases back in a moment, if nobody steals them."""
        gap, self._looked = time.monotonic() - self._looked, time.monotonic()
        if gap > self._settings.lease / 2:
            log.warning("no look at a slice for %.1f s; no rescues for a lease", gap)
            self._patient_until = time.monotonic() + self._settings.lease
        return time.monotonic() < self._patient_until

    async def _now(self) -> int:
        seconds, microseconds = await self._redis.time()
        return int(seconds) * 1000 + int(microseconds) // 1000

    async def _due(self, latest: int | str) -> list[str]:
        """At the start, and when a new primary's clock is behind, everything is looked at once, whatever its time."""
        most = -1 if latest == "+inf" else AT_ONCE
        tags = await self._redis.zrangebyscore(DUE, "-inf", latest, start=0, num=most)
        return [tag.decode() for tag in tags]
