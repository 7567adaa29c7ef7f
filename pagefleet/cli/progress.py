"""What a crawl is doing, on stderr: a line that changes on a terminal, a line now and then elsewhere."""

import asyncio
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from pagefleet.errors import PagefleetError
from pagefleet.fleet import Handle, Status

SELDOM = 5.0
"""Seconds between two lines where nobody watches them change."""


class Progress:
    """For the length of the block, the crawl's status is looked at twice a second and shown."""

    def __init__(self, handle: Handle, workers: Callable[[], int], console: Console | None = None) -> None:
        self._handle = handle
        self._workers = workers
        self._console = console or Console(stderr=True, highlight=False)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True)
        self._started: tuple[float, int] | None = None

    async def __aenter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        self._following = asyncio.create_task(self._follow(), name="progress")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._following.cancel()
        with suppress(asyncio.CancelledError):
            await self._following
        if self._console.is_terminal:
            self._live.stop()

    async def _follow(self) -> None:
        shown = 0.0
        while True:
            with suppress(PagefleetError):  # whoever needs Redis says so; this only looks
                line = self.line(await self._handle.status())
                if self._console.is_terminal:
                    self._live.update(Text(line, no_wrap=True, overflow="ellipsis"))
                elif time.monotonic() - shown > SELDOM:
                    shown = time.monotonic()
                    print(line, file=sys.stderr)
            await asyncio.sleep(0.5)

    def line(self, status: Status) -> str:
        """One line: where it stands, how fast it goes, who has it."""
        now = time.monotonic()
        self._started = self._started or (now, status.documents)
        rate = (status.documents - self._started[1]) / max(now - self._started[0], 0.001)
        parts = [
            f"{status.id} {status.state.value}",
            f"{status.documents:,}{f' of {status.total:,}' if status.total is not None else ''} documents",
            f"{status.pages:,} pages",
            size(status.bytes),
        ]
        if rate > 0:
            parts.append(f"{rate:,.0f}/s")
        if rate > 0 and status.total is not None and status.total > status.documents:
            parts.append(f"ETA {duration((status.total - status.documents) / rate)}")
        parts.append(f"{self._workers()} workers")
        if status.worker:
            parts.append(f"lease: {status.worker}")
        if status.reason:
            parts.append(status.reason)
        return " · ".join(parts)


def size(count: int) -> str:
    """Bytes for people."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count = count / 1000  # type: ignore[assignment]  # only the first is whole
    return f"{count:.3g} TB"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
