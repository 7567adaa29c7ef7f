"""A spider of Scrapy, and its feed of JSON Lines.

As in https://docs.scrapy.org/en/latest/topics/feed-exports.html.
"""

import tempfile
from pathlib import Path

from benchmarks.outcome import Meter, arguments
from benchmarks.peers.measure import lines, report, warm
from benchmarks.peers.scrapy_spider import Documents, crawl, start


async def crawl_twice() -> None:
    """The first time to get warm."""
    url, _ = arguments()
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder) / "first.jsonl", Path(folder) / "second.jsonl"
        await crawl(Documents, warm(url), {"FEEDS": {first: {"format": "jsonlines"}}})
        meter = Meter()
        await crawl(Documents, url, {"FEEDS": {second: {"format": "jsonlines"}}})
        took = meter.stop(0)
        report(took, lines([second]))


if __name__ == "__main__":
    start(crawl_twice)
