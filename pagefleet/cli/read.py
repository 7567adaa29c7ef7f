"""`pagefleet documents`: the documents of a crawl that others advance."""

from contextlib import aclosing, suppress

from pagefleet.cli.ending import INCOMPLETE, Refused
from pagefleet.cli.output import Output, Stream
from pagefleet.cli.progress import Progress, say
from pagefleet.cli.writing import Writing
from pagefleet.errors import PagefleetError
from pagefleet.fleet import Fleet, Handle
from pagefleet.page import BEFORE_ALL
from pagefleet.verdict import Finding

UNNAMED = ""
"""Who reads into a stream: nobody that could go on later."""


async def read(crawl_id: str, redis: str | None, output: Output, *, is_rest: bool) -> int:
    """Write documents to the crawl's end: into a file those that it lacks; into a stream all, or the rest. Answers the
    exit status."""
    async with Fleet(redis) as fleet:
        handle = fleet.crawl(crawl_id)
        trimmed = (await handle.status()).trimmed
        if not isinstance(output, Stream):
            async with Writing(handle, output) as writing, Progress(handle, manner=output.manner):
                await writing.begin()
                await writing.copy()
        elif is_rest or trimmed == BEFORE_ALL:
            await _pour(handle, output, trimmed)
        else:
            raise Refused(
                f"reading {crawl_id}: the documents up to {trimmed} have been read, and dropped to make room; give "
                f"--rest for those behind them"
            )
        verdict = (await handle.status()).verdict
        if verdict is None or verdict.finding is Finding.COMPLETE:
            return 0
        say(f"{crawl_id} is {verdict}")
        return INCOMPLETE


async def _pour(handle: Handle, output: Stream, after: str) -> None:
    """What has been poured makes room while this goes on; when it ends early, nothing waits for it to come back."""
    output.open()
    try:
        there = after.split()  # one for each slice that lacks some
        await handle.register(UNNAMED, there)
        async with Progress(handle, manner=output.manner), aclosing(handle.batches(there)) as batches:
            async for batch in batches:
                await output.write(batch)
                await handle.acknowledge(UNNAMED, batch[-1].id)
    finally:
        output.close()
        with suppress(PagefleetError):
            await handle.forget(UNNAMED)
