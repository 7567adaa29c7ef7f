"""The fleet's budget of an origin: shared by all workers through Redis, a few tokens at a time.

Tokens are good for a quarter of a second. So one question to Redis serves many requests at high rates, a worker that
was frozen comes back with none, and what one worker learned from a 429 all others obey within that time.
"""

import asyncio
import time

from pagefleet.crawl import parse_rate
from pagefleet.errors import RetryLater
from pagefleet.scripts import Scripts

LIFE = 0.25
"""Seconds that tokens are good for."""
BATCH = 0.1
"""Seconds' worth of tokens that are handed out at once."""
PATIENCE = 1.0
"""Seconds that a slice waits in a worker's hands; for more it snoozes."""


class FleetBudget:
    """One origin's budget, as one process holds it. All slices of the process that go to the origin share it."""

    def __init__(self, scripts: Scripts, origin: str, rate: str | None) -> None:
        self._scripts = scripts
        self._origin = origin
        self._interval = parse_rate(rate) if rate else 0.0
        self._most = max(1, int(BATCH / self._interval)) if self._interval else 1
        self._tokens = 0
        self._good_until = 0.0
        self._asking = asyncio.Lock()

    async def token(self) -> None:
        """Wait for the right to send one request now; raises `RetryLater` when it is more than a moment away."""
        async with self._asking:
            while not self._take():
                asked = time.monotonic()
                tokens, seconds = await self._scripts.token(self._origin, self._interval, self._most, LIFE)
                if tokens:
                    self._tokens, self._good_until = tokens, asked + max(seconds, 0.001)
                    if time.monotonic() >= self._good_until:
                        self._tokens = min(tokens, 1)  # Redis is that slow: one request for one question
                        self._good_until = time.monotonic() + 0.001
                elif seconds > PATIENCE:
                    raise RetryLater(f"no request to {self._origin} for {seconds:.1f} s", seconds)
                else:
                    await asyncio.sleep(seconds)

    def _take(self) -> bool:
        if self._tokens == 0 or time.monotonic() > self._good_until:
            return False
        self._tokens -= 1 if self._tokens > 0 else 0
        return True

    async def pause(self, cause: RetryLater) -> None:
        """Wait in place between attempts; what the source asked for is told the fleet, and a slice snoozes for it."""
        if cause.is_source:
            self._tokens = 0
            await self._scripts.block(self._origin, cause.seconds)
            if cause.seconds > PATIENCE:
                raise cause
        await asyncio.sleep(cause.seconds)


class FleetBudgets:
    """The budgets of one process, by origin and rate."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._budgets: dict[tuple[str, str | None], FleetBudget] = {}

    def at(self, origin: str, rate: str | None) -> FleetBudget:
        """The one budget of this origin and rate."""
        found = self._budgets.get((origin, rate))
        if found is None:
            found = self._budgets[origin, rate] = FleetBudget(self._scripts, origin, rate)
        return found
