"""Ending an asyncio task for certain, work that the event loop does not wait for, and the fastest loop there is."""

import asyncio
import importlib.util
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")
LARGE = 256 * 1024
"""Bytes of a page that is decoded aside: a MiB of XML takes 0.2 s."""
_threads = ThreadPoolExecutor(4, "pagefleet")
"""Of our own: names are looked up in the loop's."""


async def aside(work: Callable[[], T]) -> T:
    """Do this in a thread, while the loop goes on. When it is cancelled, the thread ends by itself, unheard."""
    return await asyncio.get_running_loop().run_in_executor(_threads, work)


def fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where it is installed (`pagefleet[fast]`). None: asyncio's own."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    import uvloop  # noqa: PLC0415 — an extra

    return uvloop.new_event_loop


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
