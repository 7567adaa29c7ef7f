"""Where the processor time of a worker goes: samples by py-spy, each put down to one part of the product.

A sample belongs to the innermost frame that one of the parts below knows; what C code does (msgspec, llhttp, hiredis,
xxhash) belongs to the Python that called it. What the event loop itself does has no frame: sockets, mostly the kernel.
"""

import re
from collections import Counter
from pathlib import Path

from benchmarks import servers
from benchmarks.bench import Bench
from benchmarks.pages import COLLECTIONS, Place
from benchmarks.subjects import of_product, run

PARTS = {
    "transport: requests written, answers read by llhttp": r"pagefleet/(transport|wire)\.py|httptools",
    "headers, the body within its limits": r"pagefleet/(http|inflate|secrets)\.py|httpx/",
    "page taken apart (msgspec), its documents checked": (
        r"pagefleet/(decode|formats|bounds|reading|jsonpath|markup)\.py|lxml"
    ),
    "digest of the documents": r"digest \(.*pagefleet/watch\.py",
    "walk: what comes next, retries, budget": (
        r"pagefleet/(walk|fetch|watch|pages|window|url|credentials|merge|page|crawl|budget)\.py|pagefleet/paginators/"
        r"|pagefleet_worker/budget"
    ),
    "commit: packed, sent, its answer read": r"pagefleet/(scripts/|connection)|redis/|hiredis|async_timeout",
    "lease and halting": r"pagefleet_worker/|pagefleet/tasks\.py",
    "asyncio: tasks, streams, timeouts": r"asyncio/(?!runners)",
    "event loop and kernel: sockets": r"asyncio/runners|uvloop",
}


def profiled(bench: Bench) -> dict[str, float]:
    """One long crawl, from a server that makes its pages as they are asked for."""
    into = bench.place / "samples"
    with servers.site(bench.place, made=["k1"]) as origin:
        run(of_product("profiled", f"--profile={into}"), origin, Place(COLLECTIONS["k1"], 5000, 1), bench.redis_url)
    servers.empty(bench.redis_url)
    return shares(into)


def shares(file: Path) -> dict[str, float]:
    """Of the samples, by part, the largest first."""
    counts = Counter[str]()
    for line in file.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        counts[_part(stack.split(";"))] += int(count)
    return {part: count / counts.total() for part, count in counts.most_common()}


def _part(stack: list[str]) -> str:
    for frame in reversed(stack):
        for part, pattern in PARTS.items():
            if re.search(pattern, frame):
                return part
    return "other"
