"""What a document takes in Redis' memory and in its file, and what a slice takes beside its documents."""

import asyncio
from dataclasses import dataclass
from itertools import product

from benchmarks import servers
from benchmarks.report import table
from benchmarks.scaling.stage import Shape, StageSlice, connected, looking, said
from pagefleet.scripts import Scripts

SIZES = (100, 1024, 10 * 1024)
NODES = (4096, 16384, 65536)
"""Of stream-node-max-bytes; the first is Redis' default."""
KEY = 6
"""Bytes of a key here."""
VOLUME = 4 * 1024**2
"""Bytes of documents in each stream."""
CRAWLS, PAGES = 1000, 2000
"""By which the rest is measured."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes a document."""

    stream: float
    file: float


def memory(url: str) -> str:
    """The tables."""
    lines = [_line(url, size, has_key) for size, has_key in product(SIZES, (False, True))]
    heads = ("document", "with a key", *(f"{node:,}" for node in NODES), f"in the file ({NODES[-1]:,})")
    rest = table(("beside its documents", "bytes"), asyncio.run(_beside(url)))
    return (
        "### Memory of a document\n\nBytes of the stream a document (`MEMORY USAGE ... SAMPLES 0`), and how many times "
        f"the document and its key that is, by `stream-node-max-bytes`. Keys have {KEY} bytes.\n\n"
        f"{table(heads, lines)}\n\n{rest}\n"
    )


def _line(url: str, size: int, has_key: bool) -> tuple[str, ...]:
    given = size + (KEY if has_key else 0)
    stored = [asyncio.run(_stored(url, Shape(100, size, has_key), node)) for node in NODES]
    cells = [f"{one.stream:,.0f} ({one.stream / given:.2f} x)" for one in stored]
    file = stored[-1].file
    return said(size), "yes" if has_key else "no", *cells, f"{file:,.0f} ({file / given:.2f} x)"


async def _stored(url: str, shape: Shape, node: int) -> Stored:
    servers.empty(url)
    with looking(url) as redis:
        redis.config_set("stream-node-max-bytes", node)
        async with connected(url) as client:
            held = await StageSlice.lease(Scripts(client, 15.0), "crawl", shape)
            before, pages = redis.info("persistence")["aof_current_size"], VOLUME // shape.bytes
            for _ in range(pages):
                await held.commit()
        stream = redis.memory_usage(held.keys.documents, samples=0)
        file = redis.info("persistence")["aof_current_size"] - before
        redis.config_set("stream-node-max-bytes", NODES[-1])
    return Stored(stream / pages / shape.count, file / pages / shape.count)


async def _beside(url: str) -> list[tuple[str, str]]:
    servers.empty(url)
    with looking(url) as redis:
        before = redis.info("memory")["used_memory"]
        async with connected(url) as client:
            scripts = Scripts(client, 15.0)  # one connection: theirs is memory, too
            slices = [await StageSlice.lease(scripts, f"crawl{n}", Shape(1, 100)) for n in range(CRAWLS)]
            for held in slices:
                await held.commit()
            used = redis.info("memory")["used_memory"] - before
            held = slices[0]
            first = redis.memory_usage(held.keys.ledger, samples=0)
            for _ in range(PAGES):
                await held.commit()
        row = redis.memory_usage(held.keys.slice, samples=0)
        ledger = (redis.memory_usage(held.keys.ledger, samples=0) - first) / PAGES
    return [
        ("row of a slice: checkpoint, fence, counts", f"{row:,.0f}"),
        ("a page in the ledger, which keeps the last 10,000", f"{ledger:,.0f}"),
        (f"a crawl with one page of one document, in all (of {CRAWLS:,}, by `used_memory`)", f"{used / CRAWLS:,.0f}"),
    ]
