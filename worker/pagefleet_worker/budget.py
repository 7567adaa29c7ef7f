"""The fleet's budget of an origin: shared by all workers through Redis, a few tokens at a time.

Tokens are good for a quarter of a second. So one question to Redis serves many requests at high rates, a worker that
was frozen comes back with none, and what one worker learned from a 429 all others obey within that time.

A source that looks as if it were down to several slices is asked again 20 times by the whole fleet together. Then
slices snooze, and one request sees whether it is up again, 5 s later, 10, 20 and so on up to five minutes; an answer
ends it. No attempt is spent by that. Nor is a question more asked while all goes well: the last answer is told with the
next question for tokens.
"""

import asyncio
import time
from datetime import timedelta

from pagefleet.errors import FetchError, RetryLater, RetryNow, Stop
from pagefleet.limits import parse_rate
from pagefleet.scripts import Scripts

LIFE = 0.25
"""Seconds that tokens are good for."""
BATCH = 0.1
"""Seconds' worth of tokens that are handed out at once."""
PATIENCE = 1.0
"""Seconds that a slice waits in a worker's hands; for more it snoozes."""
LONGEST_OUTAGE = 86_400.0
"""Seconds that a source may be down; then the crawls that wait for it fail, for somebody to look."""


class FleetBudget:
    """One origin's budget, as one process holds it. All slices of the process that go to the origin share it."""

    def __init__(self, scripts: Scripts, origin: str, rate: str | None) -> None:
        self._scripts = scripts
        self._origin = origin
        self._interval = parse_rate(rate) if rate else 0.0
        self._most = max(1, int(BATCH / self._interval)) if self._interval else 1
        self._tokens = 0
        self._good_until = 0.0
        self._answered: float | None = None
        self._asking = asyncio.Lock()

    async def token(self) -> None:
        """Wait for the right to send one request now; raises `RetryLater` when it is more than a moment away."""
        async with self._asking:
            while not self._take():
                asked = time.monotonic()
                tokens, seconds, silence = await self._scripts.token(
                    self._origin, self._interval, self._most, LIFE, self._last_answer()
                )
                if tokens:
                    self._tokens, self._good_until = tokens, asked + max(seconds, 0.001)
                    if time.monotonic() >= self._good_until:
                        self._tokens = min(tokens, 1)  # Redis is that slow: one request for one question
                        self._good_until = time.monotonic() + 0.001
                elif seconds > PATIENCE and silence:
                    raise self._is_down("", seconds, silence)
                elif seconds > PATIENCE:
                    raise RetryLater(f"no request to {self._origin} for {seconds:.1f} s", seconds)
                else:
                    await asyncio.sleep(seconds)

    def _take(self) -> bool:
        if self._tokens == 0 or time.monotonic() > self._good_until:
            return False
        self._tokens -= 1 if self._tokens > 0 else 0
        return True

    async def pause(self, cause: RetryLater, tag: str) -> None:
        """Wait in place between attempts of a slice; what the source asked for is told the fleet, and a slice snoozes
        for it, as it does when the source seems to be down."""
        if cause.is_source:
            self._tokens = 0
            await self._scripts.block(self._origin, cause.seconds)
            if cause.seconds > PATIENCE:
                raise cause
        elif cause.is_down:
            await self._ask_again(tag, cause)
        await asyncio.sleep(cause.seconds)

    async def give_up(self, tag: str, fault: RetryNow) -> None:
        """Nothing, if this slice alone has no answer: its crawl fails. But raises what makes it snooze where others
        have none either."""
        await self._ask_again(tag, fault, is_last=True)

    async def _ask_again(self, tag: str, fault: FetchError, *, is_last: bool = False) -> None:
        seconds, silence = await self._scripts.retry(self._origin, tag, self._last_answer(), is_last=is_last)
        if seconds:
            self._tokens = 0
            raise self._is_down(f" ({fault})", seconds, silence)

    def answered(self) -> None:
        """Redis hears of it with the next question."""
        self._answered = time.monotonic()

    def _last_answer(self) -> float | None:
        """How long ago."""
        return None if self._answered is None else time.monotonic() - self._answered

    def _is_down(self, fault: str, seconds: float, silence: float) -> RetryLater | Stop:
        found = f"{self._origin} has been down for {timedelta(seconds=round(silence))}{fault}"
        again = f"is asked again in {seconds:.0f} s"
        if silence < LONGEST_OUTAGE:
            return RetryLater(f"{found}, and {again}", seconds)
        return Stop(f"{found}; see whether it is there, and resume the crawl when it is (it {again} at the earliest)")


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
