"""Slices without HTTP: leased, and committed page by page with made up pages, through the library's scripts."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import redis
from redis.asyncio import Redis

from benchmarks.pages import Collection
from pagefleet.connection import open_redis
from pagefleet.keys import SliceKeys
from pagefleet.page import Checkpoint
from pagefleet.scripts import Part, Scripts

LEASE = 600.0
"""Seconds; nothing here is to run out by itself."""
DESCRIPTION = '{"kind":"crawl"}'
WORKER = "benchmark.example.com:12345"
FIRST_URL = "https://api.example.com/v1/documents?limit=100&cursor="


@dataclass(frozen=True, slots=True)
class Shape:
    """Of a page: `count` documents of `size` bytes, each with a key or without."""

    count: int = 100
    size: int = 1024
    has_key: bool = False

    @property
    def collection(self) -> Collection:
        return Collection(f"d{self.size}", self.count, self.size)

    @property
    def bytes(self) -> int:
        """Of the documents of a page."""
        return self.count * self.size

    def __str__(self) -> str:
        return f"{self.count:,} x {said(self.size)}"


def said(size: int) -> str:
    """Bytes, for a table."""
    return f"{size // 1024} KB" if size >= 1024 else f"{size} B"


@cache
def arguments(shape: Shape, page: int) -> Sequence[bytes]:
    """What commit takes: documents, with their keys behind them if they have any."""
    documents = [shape.collection.document(page, index) for index in range(shape.count)]
    if not shape.has_key:
        return documents
    first = page * shape.count + 100_000
    return [argument for n, document in enumerate(documents) for argument in (document, b"%d" % (first + n))]


class StageSlice:
    """A leased slice; `commit` brings it a page further."""

    def __init__(self, scripts: Scripts, keys: SliceKeys, fence: str, shape: Shape) -> None:
        self.keys, self.fence = keys, fence
        self._scripts, self._shape = scripts, shape
        self._at = Checkpoint()

    @classmethod
    async def lease(cls, scripts: Scripts, name: str, shape: Shape) -> Self:
        """A crawl that is enqueued, and leased at once."""
        keys = SliceKeys(name)
        await scripts.enqueue(keys, DESCRIPTION, name, 0)
        leased = await scripts.lease(keys, 1, secrets.token_hex(16), LEASE, WORKER)
        if leased is None:
            raise RuntimeError(f"leasing {name}: refused; is this Redis empty, and nobody else's?")
        return cls(scripts, keys, leased.fence, shape)

    async def commit(self) -> None:
        """One page; raises RuntimeError when that is not what came of it."""
        before = self._at
        after = Checkpoint(before.page + 1, 0, f"{FIRST_URL}{before.page:032x}")
        part = Part(
            commit=f"{self.fence[:16]}-{before.page}",
            before=before,
            after=after,
            ending="",
            arguments=arguments(self._shape, before.page % 4),
            fields=2 if self._shape.has_key else 1,
            digest=f"{before.page:016x}",
            size=self._shape.bytes,
            milliseconds=200,
        )
        committed = await self._scripts.commit(self.keys, part, self.fence, LEASE, WORKER)
        if committed.answer != "committed":
            raise RuntimeError(f"committing page {before.page} of {self.keys.tag}: {committed.answer}")
        self._at = after

    async def renew(self) -> None:
        """As a worker does every two seconds."""
        await self._scripts.renew(self.keys, self.fence, LEASE)


async def leased(scripts: Scripts, count: int, shape: Shape, name: str = "crawl") -> list[StageSlice]:
    """So many slices, on an empty Redis."""
    return list(await asyncio.gather(*(StageSlice.lease(scripts, f"{name}{n}", shape) for n in range(count))))


@asynccontextmanager
async def connected(url: str) -> AsyncGenerator[Redis]:
    """The library's client, and none of its connections afterwards."""
    client = open_redis(url)
    try:
        yield client
    finally:
        await client.aclose(close_connection_pool=True)


@contextmanager
def looking(url: str) -> Generator[Any]:
    """A client of a benchmark itself; Any, for redis-py types most of its methods for two clients."""
    with redis.Redis.from_url(url) as client:
        yield client
