"""`pages(source)` and `documents(source)`: a paginated API as an iterator, by `async for` and by `for`.

    async for document in documents(source): ...       a buffer of documents, filled a page at a time, while the
    for document in documents(source): ...             next page is already on its way (`async for`)

`Documents` reads from `Pages`, `Pages` drives the walk. Neither knows of Redis: a worker's loop is `pages()` too,
with the fleet's budget in place of a local one.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from functools import partial
from types import TracebackType
from typing import Self

from pagefleet.addresses import Allowed, allowed_here
from pagefleet.budget import Budgets, LocalBudgets
from pagefleet.crawl import Crawl
from pagefleet.decode import member
from pagefleet.errors import RetryNow, Stop
from pagefleet.fetch import Reply, Send, Wait
from pagefleet.handover import Handover, fetch_all
from pagefleet.http import ask, open_client, open_sync_client, send_sync
from pagefleet.page import Checkpoint, Cursor, Document, Page, Request, Response
from pagefleet.paths import Names
from pagefleet.resume import Steps
from pagefleet.source import PythonSource, walk_python
from pagefleet.tasks import LARGE, aside, ended
from pagefleet.transport import AsyncTransport
from pagefleet.url import origin
from pagefleet.verdict import Signals, Verdict, judge
from pagefleet.walk import walk
from pagefleet.window import Window

Source = Crawl | PythonSource


def pages(source: Source, cursor: Cursor = None) -> "Pages":
    """The pages of a source from a cursor on (None: from the start), one ahead of the reader."""
    return Pages(source, Checkpoint(cursor=cursor))


def documents(source: Source) -> "Documents":
    """The documents of a source, in the server's order, as its own bytes. Its `verdict` says at the end whether they
    are all."""
    return Documents(pages(source), source.document_key)


class Pages:
    """An iterator over pages, for `async for` and for `for`; a page is fetched while its forerunner is used.

    Raises `Stop` when a page cannot be had; with a fleet's budget, also `RetryLater`. Close it (`aclose`, or
    `async with`) when you leave before the end.
    """

    def __init__(
        self,
        source: Source,
        checkpoint: Checkpoint,
        *,
        client: AsyncTransport | None = None,
        budgets: Budgets | None = None,
        may_be_missing: bool = False,
    ) -> None:
        self._may_be_missing = may_be_missing
        self._source = source
        self._checkpoint = checkpoint
        self._client = client
        self._budgets = budgets
        self._flow: AsyncGenerator[Page] | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._handover = Handover()
        self._flow_sync: Generator[Page] | None = None
        self._is_over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Page:
        if self._is_over:
            await self.aclose()
            raise StopAsyncIteration
        if self._fetching is None:
            self._flow = _drive(self._source, self._checkpoint, self._client, self._budgets, self._may_be_missing)
            self._fetching = asyncio.create_task(fetch_all(self._flow, self._handover), name="pages")
            self._fetching.add_done_callback(self._handover.end)
        coming = self._handover.next(self._fetching)
        try:
            page = await coming
        except BaseException:
            self._is_over = True
            self._fetching.cancel()
            raise
        if page is None:
            await self.aclose()
            raise StopAsyncIteration
        self._is_over = page.is_last
        return page

    async def aclose(self) -> None:
        """Give up the page that is on its way, and the connection if it is ours."""
        self._is_over = True
        if self._fetching is not None:
            await ended(self._fetching)
        if self._flow is not None:
            await self._flow.aclose()

    def __del__(self) -> None:
        """Who leaves an `async for` before its end, and closes nothing, leaves no task behind."""
        if self._fetching is not None and not self._fetching.done() and not self._fetching.get_loop().is_closed():
            self._fetching.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Page:
        if self._flow_sync is None:
            if isinstance(self._source, PythonSource):
                self._flow_sync = _by_loop(Pages(self._source, self._checkpoint))  # not self: it ends when we do
            else:
                self._flow_sync = drive_sync(self._source, self._checkpoint)
        return next(self._flow_sync)

    def close(self) -> None:
        """Leave a plain `for` before its end."""
        if self._flow_sync is not None:
            self._flow_sync.close()


async def _drive(
    source: Source,
    checkpoint: Checkpoint,
    own: AsyncTransport | None,
    budgets: Budgets | None,
    may_be_missing: bool,
) -> AsyncGenerator[Page]:
    client = own or open_client(_allowed(source))
    try:
        if isinstance(source, PythonSource):
            flow = walk_python(source, checkpoint, client, budgets)
        else:
            flow = drive(source, walk(source, checkpoint, may_be_missing=may_be_missing), client, budgets)
        async with aclosing(flow):
            async for page in flow:
                yield page
    finally:
        if own is None:
            await client.aclose()


def _allowed(source: Source) -> Allowed:
    """Whoever calls us with a crawl wrote its URL; where links and redirects lead to is another matter."""
    return allowed_here() | (Allowed.origins([source.url]) if isinstance(source, Crawl) else Allowed())


async def drive(crawl: Crawl, flow: Steps, client: AsyncTransport, budgets: Budgets | None) -> AsyncGenerator[Page]:
    """The asynchronous driver of a walk: sends, waits and yields as the walk says."""
    _check_whole(crawl)
    at = budgets or LocalBudgets(crawl.rate)

    async def asked(request: Request) -> Response | RetryNow:
        return await ask(client, request, crawl.limits, at(origin(request.url)))

    reply = _START
    async with aclosing(Window(asked)) as window:
        while True:
            is_large = isinstance(reply, Response) and len(reply.body) > LARGE
            step = await aside(partial(_step, flow, reply)) if is_large else _step(flow, reply)
            reply = None
            match step:
                case None:
                    return
                case Send():
                    reply = await window.reply(step)
                case Wait(url, cause):
                    await window.aclose()
                    await at(origin(url)).pause(cause)
                case Page():
                    yield step


def _check_whole(crawl: Crawl) -> None:
    if crawl.slices is not None:
        raise Stop(f"walking {crawl.id}: only a fleet walks slices; enqueue it, or leave slices out")


def _step(flow: Steps, reply: Reply) -> Send | Wait | Page | None:
    """None: it is over."""
    try:
        return flow.send(reply)
    except StopIteration:
        return None


def drive_sync(crawl: Crawl, checkpoint: Checkpoint) -> Generator[Page]:
    """The synchronous driver of the same walk."""
    _check_whole(crawl)
    budgets = LocalBudgets(crawl.rate)
    flow, reply = walk(crawl, checkpoint), _START
    with open_sync_client(_allowed(crawl)) as client:
        while (step := _step(flow, reply)) is not None:
            reply = None
            match step:
                case Send(request):
                    budgets(origin(request.url)).token_sync()
                    reply = send_sync(client, request, crawl.limits)
                case Wait(_, cause):
                    time.sleep(cause.seconds)
                case Page():
                    yield step


_START: Reply = None
"""What a generator is sent first."""


def _by_loop(pages: Pages) -> Generator[Page]:
    """Plain `for` over a source that is itself asynchronous: a loop of our own, a step at a time."""
    if _is_in_a_loop():
        raise RuntimeError("plain `for` over a source in Python, inside of a running event loop: use `async for` there")
    with asyncio.Runner() as runner:
        try:
            while True:
                try:
                    yield runner.run(anext(pages))
                except StopAsyncIteration:
                    return
        finally:
            runner.run(pages.aclose())


def _is_in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class Documents:
    """An iterator over documents, for `async for` and for `for`, first in first out from a buffer of pages."""

    def __init__(self, pages: Pages, names: Names = ()) -> None:
        self._pages = pages
        self._names = names
        self._buffer: deque[Document] = deque()
        self._number = 0
        self._seen = Signals(0)
        self.verdict: Verdict | None = None
        """Whether they are all, once the last one was given; None before."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Document:
        while not self._buffer:
            self._fill(await anext(self._pages))
        return self._buffer.popleft()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Document:
        while not self._buffer:
            self._fill(next(self._pages))
        return self._buffer.popleft()

    def close(self) -> None:
        """Leave a plain `for` before its end."""
        self._buffer.clear()
        self._pages.close()

    def _fill(self, page: Page) -> None:
        self._number += 1
        self._seen = seen(self._seen, page)
        if page.is_last:
            self.verdict = judge(self._seen)
        if page.quarantined:
            raise Stop(page.quarantined.reason)  # nobody here would hear of it otherwise
        self._buffer.extend(numbered(page, self._number, self._names))

    async def aclose(self) -> None:
        """Leave before the end: drop the buffer and the page that is on its way."""
        self._buffer.clear()
        await self._pages.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def seen(before: Signals, page: Page) -> Signals:
    """What there is to weigh, this page included."""
    words = dict.fromkeys((*before.doubts.split(), *page.doubt.split()))
    total = before.total if page.total is None else page.total
    return Signals(before.documents + len(page.documents), total, doubts=" ".join(words))


def numbered(page: Page, number: int, names: Names) -> list[Document]:
    """A page's documents with their ids, and their keys where `names` leads to one."""
    documents, before = list(map(Document, page.documents)), f"{number}-"
    for index, document in enumerate(documents):
        document.id = before + str(index)
    if names:
        for document in documents:
            document.key = member(document, names)
    return documents
