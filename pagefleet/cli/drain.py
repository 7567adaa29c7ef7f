"""`pagefleet crawl`: Redis, scheduler, workers and the reading consumer, all on this machine."""

import asyncio
import signal
import sys
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from pagefleet.cli.local import LocalFleet
from pagefleet.cli.output import Writing
from pagefleet.cli.progress import Progress, size
from pagefleet.crawl import Crawl
from pagefleet.errors import CrawlFailed
from pagefleet.fleet import Fleet, Handle, Status
from pagefleet.states import State

DIRECTORY = Path(".pagefleet")


async def drain(crawl: Crawl, redis: str | None, output: str, workers: int) -> int:
    """Crawl to the end and write every document once; answers the exit status."""
    async with Fleet(redis) as fleet:
        handle = await fleet.enqueue(crawl)
        async with Writing(handle, output) as writing:
            if await _needs_work(handle):
                is_interrupted = await _work(handle, fleet.url, writing, workers)
                if is_interrupted:
                    with suppress(CrawlFailed):
                        await writing.copy(is_following=False)
                    _say(f"interrupted; {await _sum(handle)}; the same command goes on from here")
                    return 130
            else:
                await writing.copy()
        _say(await _sum(handle))
    return 0


async def _needs_work(handle: Handle) -> bool:
    """Whoever gives the command wants the crawl to go on, also if it failed or was paused before."""
    status = await handle.status()
    if status.state in (State.FAILED, State.PAUSED):
        _say(f"going on with {handle.id}, which is {status.state.value}: {status.documents:,} documents so far")
        await handle.resume()
    elif status.state is State.FINISHED:
        _say(f"{handle.id} is finished already; to crawl again, give it another --name")
    return not (await handle.status()).state.is_over


async def _work(handle: Handle, url: str, writing: Writing, workers: int) -> bool:
    """Until the last document is written, or somebody interrupts; answers whether somebody did."""
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, interrupted.set)
    try:
        async with AsyncExitStack() as stack:
            DIRECTORY.mkdir(mode=0o700, exist_ok=True)
            local = await stack.enter_async_context(LocalFleet(url, workers, DIRECTORY / "workers.log"))
            await stack.enter_async_context(Progress(handle, lambda: len(local.workers)))
            copying = asyncio.create_task(writing.copy(), name="write documents")
            waiting = asyncio.create_task(interrupted.wait(), name="wait for Ctrl-C")
            await asyncio.wait({copying, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if not copying.done():
                copying.cancel()
                with suppress(asyncio.CancelledError):
                    await copying
                return True
            await copying
            return False
    finally:
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(signum)


async def _sum(handle: Handle) -> str:
    return summary(await handle.status())


def summary(status: Status) -> str:
    """What came of a crawl, in one line."""
    counts = f"{status.id} {status.state.value}: {status.documents:,} documents, {status.pages:,} pages, {size(status.bytes)}"
    return f"{counts}; {status.verdict}" if status.verdict else counts


def _say(line: str) -> None:
    print(f"pagefleet: {line}", file=sys.stderr)
