"""Ending an asyncio task for certain, or when its time is over; work that the event loop does not wait for; and the
fastest loop there is."""

import asyncio
import importlib.util
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
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


class TimeLimits:
    """`asyncio.timeout` for what is nearly always done long before: `with limits.within(5.0): await ...` raises
    `TimeoutError`.

    All limits of one holder share one timer, which is set anew when it rings: with one each, and asyncio's, they take
    three times as long. It belongs to the loop in which it is used first.
    """

    def __init__(self) -> None:
        self._running = set[_Limit]()
        self._timer: asyncio.TimerHandle | None = None

    def within(self, seconds: float) -> "_Limit":
        """Cuts the block off after so many seconds."""
        return _Limit(self, seconds)

    def add(self, limit: "_Limit", loop: asyncio.AbstractEventLoop) -> None:
        """It has begun."""
        self._running.add(limit)
        if self._timer is None or limit.end < self._timer.when():
            self._ring_at(limit.end, loop)

    def discard(self, limit: "_Limit") -> None:
        """It is over."""
        self._running.discard(limit)

    def _ring_at(self, end: float, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(end, self._ring, loop)

    def _ring(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        for limit in [limit for limit in self._running if limit.end <= now]:
            self._running.discard(limit)
            limit.cut_off()
        if self._running:
            self._ring_at(min(limit.end for limit in self._running), loop)


class _Limit:
    def __init__(self, limits: TimeLimits, seconds: float) -> None:
        self._limits = limits
        self._seconds = seconds
        self._is_over = False

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        task: Any = asyncio.current_task(loop)
        self._task, self._cancelled_before = task, task.cancelling()
        self.end = loop.time() + self._seconds
        self._limits.add(self, loop)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._limits.discard(self)
        if self._is_over and self._task.uncancel() <= self._cancelled_before and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def cut_off(self) -> None:
        """The time is over."""
        self._is_over = True
        self._task.cancel()
