"""`async for document in documents(source)`, without Redis."""

import asyncio

from benchmarks.outcome import Meter, Outcome, arguments
from pagefleet import Crawl, documents


async def crawl(url: str) -> Outcome:
    """All pages from the first to the last; asserts that the documents are the server's bytes."""
    source = Crawl.model_validate({"url": url, "documents": "items", "paginate": {"kind": "next_url", "next": "next"}})
    meter, count = Meter(), 0
    async for _ in documents(source):
        count += 1
    return meter.stop(count)


if __name__ == "__main__":
    asyncio.run(crawl(arguments()[0])).print()
