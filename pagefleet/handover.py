"""Pages from the task that fetches them to whoever takes them, one at a time."""

import asyncio
from collections.abc import AsyncGenerator

from pagefleet.page import Page


class Handover:
    """Between the task and whoever waits. It knows of neither, so that a task that nobody waits
    for any more is not kept alive by what it waits for."""

    def __init__(self) -> None:
        self._taker: asyncio.Future[Page | None] | None = None
        self._is_wanted = asyncio.Event()

    def next(self, fetching: asyncio.Task[None]) -> asyncio.Future[Page | None]:
        """The next page; None: there is none; or what ended the task."""
        if self._taker is not None and not self._taker.done():
            raise RuntimeError("two at once wait for the next page; pages come one after the other")
        self._taker = asyncio.get_running_loop().create_future()
        self._is_wanted.set()
        if fetching.done():
            self.end(fetching)
        return self._taker

    async def give(self, page: Page) -> None:
        """Waits until it is wanted."""
        await self._is_wanted.wait()
        self._is_wanted.clear()
        if self._taker is not None and not self._taker.done():
            self._taker.set_result(page)

    def end(self, fetching: asyncio.Task[None]) -> None:
        """Tell that there are no more pages, or why, to whoever waits for one."""
        if self._taker is None or self._taker.done():
            return
        if fetching.cancelled():
            self._taker.cancel()
        elif error := fetching.exception():
            self._taker.set_exception(error)
        else:
            self._taker.set_result(None)


async def fetch_all(flow: AsyncGenerator[Page], handover: Handover) -> None:
    """Page after page, each as soon as its forerunner was taken: the request for the next one goes out before that is
    worked on. One task for all of them, since with one each, other crawls would come in between."""
    async for page in flow:
        await handover.give(page)
        if page.is_last:
            return
