"""As it is usually written: httpx, `response.json()`, and a round trip to Redis for every document.

`--pipeline`: one redis-py pipeline a page instead.
"""

import asyncio
import json
import sys
from typing import Any

import httpx
from redis.asyncio import Redis

from benchmarks.outcome import Meter, Outcome, arguments


async def add_each(redis: Redis, documents: list[Any]) -> None:
    for document in documents:
        await redis.xadd("documents", {"d": json.dumps(document)})


async def add_by_pipeline(redis: Redis, documents: list[Any]) -> None:
    async with redis.pipeline() as pipe:
        for document in documents:
            pipe.xadd("documents", {"d": json.dumps(document)})
        await pipe.execute()


async def crawl(url: str, redis_url: str, *, is_piped: bool) -> Outcome:
    """All pages from the first to the last."""
    add, count = add_by_pipeline if is_piped else add_each, 0
    following: httpx.URL | None = httpx.URL(url)
    async with httpx.AsyncClient() as client, Redis.from_url(redis_url) as redis:
        await redis.ping()
        meter = Meter()
        while following:
            response = await client.get(following)
            page = response.json()
            await add(redis, page["items"])
            count += len(page["items"])
            following = response.url.join(page["next"]) if page["next"] else None
        return meter.stop(count)


if __name__ == "__main__":
    asyncio.run(crawl(*arguments(), is_piped="--pipeline" in sys.argv)).print()
