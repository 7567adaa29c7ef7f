"""`pagefleet crawl`: Redis, scheduler, workers and the reading consumer, all on this machine."""

import asyncio
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from pagefleet.cli.ending import INCOMPLETE
from pagefleet.cli.interrupts import Interrupts
from pagefleet.cli.local import LocalFleet
from pagefleet.cli.output import Output, ReaderGone
from pagefleet.cli.progress import Progress, say, size
from pagefleet.cli.writing import Writing
from pagefleet.crawl import Crawl
from pagefleet.credentials import written
from pagefleet.errors import CrawlCancelled, CrawlFailed
from pagefleet.fleet import Fleet, Handle
from pagefleet.settings import ALL
from pagefleet.states import State
from pagefleet.status import Status
from pagefleet.tasks import ended
from pagefleet.url import origin
from pagefleet.verdict import Finding

DIRECTORY = Path(".pagefleet")
LOG = DIRECTORY / "workers.log"
INTERNAL = "internal error"
"""What a worker calls a fault of Pagefleet's own."""


class Drain:
    """One crawl, `workers` processes and an output, for one command."""

    def __init__(self, crawl: Crawl, output: Output, workers: int, interrupts: Interrupts) -> None:
        self._crawl = crawl
        self._output = output
        self._workers = workers
        self._interrupts = interrupts

    async def run(self, redis: str | None) -> int:
        """Crawl to the end and write every document once; answers the exit status."""
        try:
            return await self._run(redis)
        except CrawlCancelled:
            raise
        except CrawlFailed as error:
            where = f"; see its worker's log (here {LOG})" if INTERNAL in str(error) else ""
            raise CrawlFailed(f"{error}{where}; all is kept, and the same command goes on") from error

    async def _run(self, redis: str | None) -> int:
        async with Fleet(redis) as fleet:
            handle = fleet.crawl(self._crawl.id)
            async with Writing(handle, self._output) as writing:  # an output that cannot be written starts no crawl
                await fleet.enqueue(self._crawl)
                await _go_on(handle, is_begun=await writing.begin())
                if (await handle.status()).is_over:
                    await writing.copy()
                else:
                    await self._work(handle, fleet.url, writing, ALL if redis is None else _typed(self._crawl))
            if redis is None:
                await handle.pause()  # the next crawl in this directory is not to go on with this one as well
            status = await handle.status()
            if status.is_over:
                say(summary(status))
                is_whole = status.verdict is None or status.verdict.finding is Finding.COMPLETE
                return 0 if is_whole else INCOMPLETE
            say(f"interrupted; {summary(status)}; the same command goes on from here")
            return 130

    async def _work(self, handle: Handle, url: str, writing: Writing, typed: str) -> None:
        """Until the last document is written, or somebody interrupts."""
        async with AsyncExitStack() as stack:
            stack.enter_context(self._interrupts.gently())
            local = await stack.enter_async_context(LocalFleet(url, self._workers, LOG, say, typed))
            await stack.enter_async_context(Progress(handle, lambda: len(local.workers), self._output.manner))
            copying = asyncio.create_task(writing.copy(), name="write documents")
            asked = asyncio.create_task(self._interrupts.asked.wait(), name="wait for Ctrl-C")
            stack.push_async_callback(ended, copying)
            stack.push_async_callback(ended, asked)
            await asyncio.wait({copying, asked, local.failing}, return_when=asyncio.FIRST_COMPLETED)
            if self._interrupts.asked.is_set():
                say("draining; Ctrl-C again ends at once")
                await local.drain()
                with suppress(ReaderGone):  # it was in the same pipeline, and Ctrl-C was for both
                    await writing.finish(copying)
            else:
                await (copying if copying.done() else local.failing)


def _typed(crawl: Crawl) -> str:
    """On a shared Redis there are others' crawls, too, and these are not to go where this one may."""
    return f"{crawl.id} {','.join(map(origin, written(crawl)))}"


async def _go_on(handle: Handle, *, is_begun: bool) -> None:
    """Whoever gives the command wants the crawl to go on, also if it failed or was paused before."""
    status = await handle.status()
    match status.state:
        case State.FAILED | State.PAUSED:
            failed = "had failed, and " if status.state is State.FAILED else ""
            say(f"{handle.id} {failed}goes on behind document {status.documents:,}")
            await handle.resume()
        case State.FINISHED:
            say(f"{handle.id} is finished already; to crawl again, give it another --name and -o")
        case State.CANCELLED:
            say(f"{handle.id} was cancelled, for good; to crawl again, give it another --name and -o")
        case _ if is_begun or status.documents:
            say(f"{handle.id} goes on behind document {status.documents:,}")
        case _:
            return


def summary(status: Status) -> str:
    """What came of a crawl, in one line."""
    counts = f"{status.documents:,} documents, {status.pages:,} pages, {size(status.bytes)}"
    return f"{status.id} {status.state}: {counts}" + (f"; {status.verdict}" if status.verdict else "")
