"""Pages fetched, and nothing else: by our transport, by httpx as it comes, or by httpx-aiohttp.

fetch.py ours|httpx|httpx-aiohttp [--crawls 64] URL
"""

import argparse
import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urljoin

import httpx

from benchmarks.machine import loop_factory
from benchmarks.outcome import Meter, Outcome
from benchmarks.pages import Place
from benchmarks.programs.floor import next_path
from pagefleet.addresses import Allowed
from pagefleet.http import open_client, send
from pagefleet.limits import Limits
from pagefleet.page import Request, Response

Fetch = Callable[[str], Awaitable[bytes]]


@asynccontextmanager
async def ours() -> AsyncGenerator[Fetch]:
    """As a worker does it."""
    client, limits = open_client(Allowed.parse("127.0.0.1")), Limits()

    async def fetch(url: str) -> bytes:
        answer = await send(client, Request("GET", url), limits)
        assert isinstance(answer, Response)
        return answer.body

    async with client:
        yield fetch


@asynccontextmanager
async def theirs(transport: httpx.AsyncBaseTransport | None) -> AsyncGenerator[Fetch]:
    """By httpx' client, with a transport or its own one."""
    async with httpx.AsyncClient(transport=transport) as client:

        async def fetch(url: str) -> bytes:
            return (await client.get(url)).content

        yield fetch


@asynccontextmanager
async def fetching(way: str) -> AsyncGenerator[Fetch]:
    """By its name."""
    if way == "ours":
        async with ours() as fetch:
            yield fetch
        return
    transport = None
    if way == "httpx-aiohttp":
        from httpx_aiohttp import AiohttpTransport  # noqa: PLC0415  # the product does without

        transport = AiohttpTransport()
    async with theirs(transport) as fetch:
        yield fetch


async def follow(fetch: Fetch, url: str) -> None:
    """All pages to the last."""
    while path := next_path(await fetch(url)).decode():
        url = urljoin(url, path)


async def crawl(way: str, url: str, crawls: int) -> Outcome:
    """So many at once."""
    async with fetching(way) as fetch:
        await fetch(url)
        meter = Meter()
        async with asyncio.TaskGroup() as group:
            for _ in range(crawls):
                group.create_task(follow(fetch, url))
        return meter.stop(Place.of(url).documents * crawls)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=["ours", "httpx", "httpx-aiohttp"])
    parser.add_argument("--crawls", type=int, default=1)
    parser.add_argument("url")
    parser.add_argument("redis_url")
    said = parser.parse_args()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(crawl(said.way, said.url, said.crawls)).print()


if __name__ == "__main__":
    main()
