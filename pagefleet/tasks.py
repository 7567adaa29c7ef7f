"""Ending an asyncio task for certain."""

import asyncio
from typing import Any


async def ended(task: asyncio.Future[Any]) -> None:
    """Cancel a task until it has ended, whatever its outcome.

    Once is not enough: in Python 3.11 `asyncio.wait_for`, which redis-py keeps its time-outs by, swallows a
    cancellation that comes in the moment in which its work is done (python/cpython#86296).
    """
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=0.1)
    if not task.cancelled():
        task.exception()  # seen, so that asyncio does not complain of it
