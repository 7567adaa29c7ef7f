"""Crawlee's HttpCrawler, whose handler appends the documents of a page to a stream in Redis, by one pipeline.

As in https://crawlee.dev/python/docs/introduction/adding-more-urls and
https://redis.readthedocs.io/en/stable/examples/asyncio_examples.html.
"""

import asyncio
import json
import tempfile
from typing import Any

from crawlee.crawlers import HttpCrawlingContext
from redis.asyncio import Redis

from benchmarks.outcome import Meter, arguments
from benchmarks.peers.crawlee_crawler import crawler
from benchmarks.peers.measure import report, warm


async def main() -> None:
    url, redis_url = arguments()
    async with Redis.from_url(redis_url) as redis:

        async def append(_: HttpCrawlingContext, documents: list[Any]) -> None:
            async with redis.pipeline() as pipe:
                for document in documents:
                    pipe.xadd("documents", {"d": json.dumps(document)})
                await pipe.execute()

        with tempfile.TemporaryDirectory() as folder:
            appending = crawler(folder, append)
            await appending.run([warm(url)])
            await redis.delete("documents")
            meter = Meter()
            await appending.run([url])
            took = meter.stop(0)
        report(took, await redis.xlen("documents"))


if __name__ == "__main__":
    asyncio.run(main())
