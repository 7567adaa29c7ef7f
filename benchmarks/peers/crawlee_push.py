"""Crawlee's HttpCrawler and `push_data`, to its dataset in files or, with `--memory`, in memory.

As in https://crawlee.dev/python/docs/examples/add-data-to-dataset.
"""

import asyncio
import tempfile
from typing import Any

from crawlee.crawlers import HttpCrawler, HttpCrawlingContext

from benchmarks.outcome import Meter, arguments
from benchmarks.peers.crawlee_crawler import crawler
from benchmarks.peers.measure import report, warm


async def push(context: HttpCrawlingContext, documents: list[Any]) -> None:
    """Into the dataset."""
    await context.push_data(documents)


async def count(pushing: HttpCrawler) -> int:
    """Documents that the dataset gives back."""
    dataset = await pushing.get_dataset()
    return len([document async for document in dataset.iterate_items()])


async def main() -> None:
    url, _ = arguments()
    with tempfile.TemporaryDirectory() as folder:
        pushing = crawler(folder, push)
        await pushing.run([warm(url)])
        before, meter = await count(pushing), Meter()
        await pushing.run([url])
        took = meter.stop(0)
        report(took, await count(pushing) - before)


if __name__ == "__main__":
    asyncio.run(main())
