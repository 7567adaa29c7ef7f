"""A spider of Scrapy with scrapy-redis: its queue, its filter of duplicates, and its pipeline to a list in Redis.

As in https://scrapy-redis.readthedocs.io/en/stable/readme.html.
"""

from redis import Redis

from benchmarks.outcome import Meter, arguments
from benchmarks.peers.measure import report, warm
from benchmarks.peers.scrapy_spider import Documents, crawl, start


class Warm(Documents):
    """scrapy-redis names its keys for the spider; this one has a list of its own."""

    name = "warm"


async def crawl_twice() -> None:
    """The first time to get warm."""
    url, redis_url = arguments()
    settings = {
        "SCHEDULER": "scrapy_redis.scheduler.Scheduler",
        "DUPEFILTER_CLASS": "scrapy_redis.dupefilter.RFPDupeFilter",
        "ITEM_PIPELINES": {"scrapy_redis.pipelines.RedisPipeline": 300},
        "REDIS_URL": redis_url,
    }
    await crawl(Warm, warm(url), settings)
    meter = Meter()
    await crawl(Documents, url, settings)
    took = meter.stop(0)
    with Redis.from_url(redis_url) as redis:
        report(took, redis.llen("documents:items"))


if __name__ == "__main__":
    start(crawl_twice)
