"""What a worker holds, and what Redis does."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from redis import Redis

from benchmarks import servers
from benchmarks.bench import Bench
from benchmarks.pages import COLLECTIONS, Place
from benchmarks.rows.row import Row
from benchmarks.subjects import PRODUCT, RESULTS, run
from pagefleet.embedded import embedded

PAGES = 10_000


def worker(bench: Bench) -> Iterator[Row]:
    """One crawl of a million documents."""
    with servers.site(bench.place, made=["k1"]) as origin:
        outcome = run(PRODUCT, origin, Place(COLLECTIONS["k1"], PAGES, 1), bench.redis_url)
    servers.empty(bench.redis_url)
    early, peak = outcome.more["rss_early"], outcome.rss
    what = "peak memory of a worker over 1,000,000 documents, against that over the first 10,000"
    yield Row(what, 1.2, peak / early, is_limit=True, note=f"{early:.0f} MiB, then {peak:.0f} MiB")


def stored(bench: Bench) -> Iterator[Row]:
    """Of a stream, in Redis as we start it and as `deploy/redis` does."""
    asyncio.run(_embedded(bench, rows := list[Row]()))
    yield from rows
    if program := shutil.which("redis-server"):
        with servers.configured(bench.place, program, Path("deploy/redis/redis.conf")) as url:
            yield _row(bench, url, "Redis by deploy/redis/redis.conf")


async def _embedded(bench: Bench, rows: list[Row]) -> None:
    async with embedded(bench.place / "embedded") as url:
        rows.append(await asyncio.to_thread(_row, bench, url, "embedded Redis"))


def _row(bench: Bench, url: str, where: str) -> Row:
    place = Place(COLLECTIONS["k1"], servers.LAST["k1"], 1)
    run(PRODUCT, bench.origin, place, url)
    redis: Any  # redis-py types most of its methods for two clients
    with Redis.from_url(url) as redis:
        stream = int(redis.memory_usage(RESULTS, samples=0))
        others = sum(redis.memory_usage(key, samples=0) or 0 for key in redis.scan_iter("*bench0*"))
        node = redis.config_get("stream-node-max-bytes")["stream-node-max-bytes"]
        version = redis.info("server")["redis_version"]
    size = place.documents * place.collection.size
    note = f"Redis {version}, stream-node-max-bytes {node}; with ledger and checkpoint {others / size:.3f} x"
    return Row(
        f"memory of documents of 1 KB against their bytes, {where}", 1.05, stream / size, is_limit=True, note=note
    )
