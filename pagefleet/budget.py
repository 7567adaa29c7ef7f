"""Budgets: how many requests an origin allows. `await budget.token()` stands before each request.

One bucket (the rule), and two holders of it: `LocalBudget` in this process, `FleetBudget` in Redis for everybody.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from pagefleet.errors import RetryLater
from pagefleet.limits import parse_rate


class Budget(Protocol):
    """Permission to send to one origin."""

    async def token(self) -> None:
        """Wait for the right to send one request now. May raise `RetryLater` when that is far off."""
        ...

    async def pause(self, cause: RetryLater) -> None:
        """Let the time pass that the source, or a failed attempt, asks for; or raise that it is too long."""
        ...

    def answered(self) -> None:
        """The source has answered, so it is not down."""
        ...


class Bucket:
    """The generic cell rate algorithm for one process: at most one request per `interval` seconds.

    `interval` 0 means as fast as answers come.
    """

    def __init__(self, interval: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = interval
        self._clock = clock
        self._next = 0.0

    def take(self) -> float:
        """Take a token and answer 0, or take none and answer the seconds until there is one."""
        now = self._clock()
        if now < self._next:
            return self._next - now
        self._next = now + self._interval
        return 0.0


class LocalBudget:
    """A budget of this process alone; it waits in place, however long."""

    def __init__(self, interval: float = 0.0) -> None:
        self._bucket = Bucket(interval)

    async def token(self) -> None:
        while (wait := self._bucket.take()) > 0:  # noqa: ASYNC110  # there is nothing to wait for but time
            await asyncio.sleep(wait)

    def token_sync(self) -> None:
        """The same for plain `for`."""
        while (wait := self._bucket.take()) > 0:
            time.sleep(wait)

    async def pause(self, cause: RetryLater) -> None:
        await asyncio.sleep(cause.seconds)

    def answered(self) -> None:
        """Nobody here asks."""


Budgets = Callable[[str], Budget]
"""The budget of an origin."""


class LocalBudgets:
    """A budget of this process for each origin."""

    def __init__(self, rate: str | None) -> None:
        self._interval = parse_rate(rate) if rate else 0.0
        self._budgets: dict[str, LocalBudget] = {}

    def __call__(self, origin: str) -> LocalBudget:
        return self._budgets.setdefault(origin, LocalBudget(self._interval))
