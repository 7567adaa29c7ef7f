"""Ends a worker whose event loop hangs, so that whoever started it starts another."""

import asyncio
import faulthandler
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from pagefleet.tasks import ended


@asynccontextmanager
async def watchdog(seconds: float) -> AsyncGenerator[None]:
    """For the length of the block: when the loop has not turned for so long, the process ends with status 1, and the
    tracebacks of all its threads are on stderr.

    A thread of C keeps the time, which needs neither the loop nor the interpreter's lock. What the loop waits for is no
    matter: with Redis or a source away it turns.
    """
    rearming = asyncio.create_task(_rearm(seconds), name="watchdog")
    try:
        yield
    finally:
        await ended(rearming)
        faulthandler.cancel_dump_traceback_later()


async def _rearm(seconds: float) -> None:
    while True:
        faulthandler.dump_traceback_later(seconds, exit=True)
        await asyncio.sleep(min(1.0, seconds / 4))
