"""What a crawl is doing, on stderr: lines that change in place on a terminal, a line now and then elsewhere."""

import asyncio
import os
import stat
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pagefleet.errors import PagefleetError
from pagefleet.fleet import Handle
from pagefleet.states import State
from pagefleet.status import Status
from pagefleet.tasks import ended

LOOK = 0.25
"""Seconds between two looks at the crawl."""
REST = 9
"""Times as long as a look kept this thread busy: thousands of slices are not looked at all the time."""
SELDOM = 5.0
"""Seconds between two lines where nobody watches them change, and until waiting is worth a word."""
WINDOW = 10.0
"""Seconds that a rate is taken over."""
LONGEST_NAME = 24
"""Columns for a crawl's id; its state, the bar and the counts need the rest of a narrow terminal."""
UNITS = ("kB", "MB", "GB", "TB")


def say(line: str) -> None:
    """A line for people, above whatever changes in place. The terminal may have gone: that ends nothing."""
    with suppress(OSError):
        print(f"pagefleet: {line}", file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Look:
    """A crawl as it is shown: its status, and what only somebody who watched it knows."""

    status: Status
    rate: float
    """Documents a second, lately."""
    workers: int | None
    """Processes of our own; None: that is others' business."""
    trouble: str
    """Why it does not go on; empty: it does."""

    @property
    def topic(self) -> str:
        """The same for as long as the trouble is; empty: there is none."""
        return f"{self.status.state} {self.status.reason} {self.status.fault}" if self.trouble else ""

    def line(self) -> str:
        """All in one line."""
        counts = [self._documents(), *self._counts()]
        return f"{self.status.id} {self.status.state}: " + " · ".join(
            [*counts, self.trouble] if self.trouble else counts
        )

    def display(self) -> RenderableType:
        """Two lines for a terminal, and a third one when something is the matter."""
        top = Table.grid(padding=(0, 1), expand=True)
        top.add_column(no_wrap=True, overflow="ellipsis", max_width=LONGEST_NAME)
        top.add_column(no_wrap=True, style="bold")
        top.add_column(ratio=1)
        top.add_column(no_wrap=True)
        bar = ProgressBar(self.status.total or 0, self.status.documents) if self.status.total else ""
        top.add_row(Text(self.status.id, style="bold"), self.status.state.value, bar, self._documents())
        parts: list[RenderableType] = [top, Text(" · ".join(self._counts()), no_wrap=True, overflow="ellipsis")]
        if self.trouble:
            parts.append(Text(self.trouble, style="yellow"))
        return Group(*parts)

    def _documents(self) -> str:
        total = f" of {self.status.total:,}" if self.status.total is not None else ""
        return f"{self.status.documents:,}{total} documents"

    def _counts(self) -> list[str]:
        status = self.status
        slices = [f"{status.slices_over:,} of {status.slices:,} slices"] if status.slices > 1 else []
        counts = [*slices, _count(status.pages, "page"), size(status.bytes), f"{self.rate:,.0f} documents/s"]
        if self.rate > 0 and status.total is not None and status.total > status.documents:
            counts.append(f"ETA {duration((status.total - status.documents) / self.rate)}")
        if self.workers is not None:
            counts.append(_count(self.workers, "worker"))
        counts.append(f"lease: {status.worker or 'nobody'}")
        return counts


class Watch:
    """Somebody who looks at one crawl again and again."""

    def __init__(self, handle: Handle, workers: Callable[[], int] | None) -> None:
        self._handle = handle
        self._workers = workers
        self._seen: deque[tuple[float, int]] = deque()
        self._going = time.monotonic()
        self._readers: tuple[dict[str, str], float] = {}, self._going

    async def look(self) -> Look:
        """The crawl now."""
        status = await self._handle.status()
        workers = self._workers() if self._workers else None
        return Look(status, self._rate(time.monotonic(), status.documents), workers, await self._trouble(status))

    def _rate(self, now: float, documents: int) -> float:
        if self._seen and self._seen[0][1] == documents:
            self._seen.clear()  # it has not begun yet: that is not its rate
        self._seen.append((now, documents))
        while self._seen[0][0] < now - WINDOW and self._seen[1][0] < now - WINDOW:
            self._seen.popleft()
        then, before = self._seen[0]
        return (documents - before) / (now - then) if now > then else 0.0

    async def _trouble(self, status: Status) -> str:
        """Why it does not go on."""
        if status.state is not State.QUEUED:
            self._going = time.monotonic()
        match status.state:
            case State.QUEUED if time.monotonic() - self._going > SELDOM:
                return "waits for a worker; is there one? `pagefleet worker` starts it, and so does `pagefleet crawl`"
            case State.PAUSED:
                return f"waits for `pagefleet resume {status.id}`, or for its `pagefleet crawl` to be given again"
            case State.SNOOZED if status.reason == "backlog":
                return await self._laggards(status.id)
            case State.SNOOZED:
                seconds = max(0.0, (status.until or 0) - time.time())
                return f"waits for {duration(seconds)}: {status.reason}"
            case State.RUNNING if status.fault:
                return f"tries again: {status.fault}"
            case _:
                return ""

    async def _laggards(self, crawl_id: str) -> str:
        """Who holds the documents; and, when none of them has moved for a while, what can be done."""
        there = await self._handle.consumers()
        if there != self._readers[0]:
            self._readers = there, time.monotonic()
        readers = "; ".join(f"{name or 'an unnamed reader'} stands at {at}" for name, at in sorted(there.items()))
        words = f"waits until somebody reads: {readers or 'nobody has begun to'}"
        if there and time.monotonic() - self._readers[1] > SELDOM:
            words += f"; `pagefleet forget {crawl_id} READER` gives up one that will not come back"
        return words


class Manner(Enum):
    """How progress is shown beside documents."""

    LIVE = "in place, if stderr is a terminal"
    LINES = "a line now and then: documents may be on the same terminal, and must not be overwritten"
    QUIET = "a line when something is the matter: documents are on the same terminal"


def beside(output: int) -> Manner:
    """How to show progress beside what is written to this file descriptor: a pipe may end on the same terminal."""
    kind = os.fstat(output).st_mode
    return Manner.LINES if stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind) else Manner.LIVE


class Progress:
    """For the length of the block, a crawl is looked at and shown."""

    def __init__(self, handle: Handle, workers: Callable[[], int] | None = None, manner: Manner = Manner.LIVE) -> None:
        self._watch = Watch(handle, workers)
        self._is_quiet = manner is Manner.QUIET
        self._console = Console(stderr=True, highlight=False)
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),  # elsewhere it holds documents
        )
        self._is_live = self._console.is_terminal and not self._console.is_dumb_terminal and manner is Manner.LIVE
        self._said = (time.monotonic(), "")

    async def __aenter__(self) -> Self:
        if self._is_live:
            self._live.start()
        self._following = asyncio.create_task(self._follow(), name="progress")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await ended(self._following)
        if self._is_live:
            with suppress(OSError):  # a terminal that has gone
                self._live.stop()

    async def _follow(self) -> None:
        while True:
            began = time.thread_time()  # a Redis that is slow to answer, or a busy machine, is no reason to look away
            try:
                async with asyncio.timeout(SELDOM):
                    look = await self._watch.look()
            except (PagefleetError, TimeoutError):
                self._show_silence()
            else:
                self._show(look)
            await asyncio.sleep(min(max(LOOK, REST * (time.thread_time() - began)), SELDOM))

    def _show(self, look: Look) -> None:
        if self._is_live:
            with suppress(OSError):  # a terminal that has gone
                self._live.update(look.display(), refresh=True)
        else:
            self._tell(look)

    def _show_silence(self) -> None:
        """Whoever needs Redis ends when it is away for too long; this only looks."""
        words = "Redis does not answer; waiting for it"
        if self._is_live:
            with suppress(OSError):
                self._live.update(Text(words, style="yellow"), refresh=True)
        elif self._said[1] != words:
            self._said = self._said[0], words
            say(words)

    def _tell(self, look: Look) -> None:
        """Seldom, and whenever something new is the matter."""
        then, topic = self._said
        is_news = look.topic not in ("", topic)
        if is_news or (not self._is_quiet and time.monotonic() - then > SELDOM):
            then = time.monotonic()
            say(look.line())
        self._said = then, look.topic


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def size(count: float) -> str:
    """Bytes for people."""
    unit = "B"
    for larger in UNITS:
        if count < 1000:  # noqa: PLR2004
            break
        count, unit = count / 1000, larger
    return f"{count:.3g} {unit}"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
