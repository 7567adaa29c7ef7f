"""The programs by name, and one run of one.

A subject is a command that takes the URL of the first page and that of Redis as its last words, and ends with a line
of JSON (`outcome.py`). Whatever it is written in, it has the client's core for itself, and an empty Redis.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from redis import Redis

from benchmarks.machine import CLIENT, family, pinned
from benchmarks.outcome import Outcome
from benchmarks.pages import Place
from benchmarks.servers import ROOT, empty

LONGEST = 300
"""Seconds of one run."""


@dataclass(frozen=True)
class Subject:
    """What is measured."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    share: float = 1.0
    """Of the pages of a collection, the last ones: slow subjects need not crawl them all for the same precision."""
    results: str = ""
    """Key of the stream or list in Redis in which all documents are to arrive; '': none."""
    is_exact: bool = False
    """They arrive as the server's own bytes."""
    times: int = 1
    """So often are the pages crawled in one run, each time with results of its own."""


def of_python(name: str, program: str, *options: str, **settings: Any) -> Subject:
    """A subject that is a module of `benchmarks.programs`."""
    return Subject(name, (sys.executable, "-m", f"benchmarks.programs.{program}", *options), **settings)


RESULTS = "pagefleet:documents:{bench0:0}"


def of_product(name: str, *options: str, **settings: Any) -> Subject:
    """The whole product, with options of its program."""
    return of_python(name, "product", *options, **({"results": RESULTS, "is_exact": True} | settings))


PRODUCT = of_product("Pagefleet")
LIBRARY = of_python("Pagefleet, documents(source), no Redis", "library")
FLOOR = of_python("floor", "floor", results="documents")
NAIVE = of_python("naive, xadd for each document", "naive", share=0.1, results="documents")
PIPELINE = of_python("naive, a pipeline for each page", "naive", "--pipeline", share=0.3, results="documents")


def run(subject: Subject, origin: str, first: Place, redis_url: str) -> Outcome:
    """One run, on pages from `first` on or fewer; raises when not all documents arrived."""
    pages = max(1, round(first.pages * subject.share))
    place = Place(first.collection, first.last, first.last - pages + 1)
    url = origin + place.collection.path(place.page, place.last)
    empty(redis_url)
    servers = " ".join(map(str, family(os.getpid())[1:]))
    with pinned(CLIENT):
        done = subprocess.run(
            [*subject.command, url, redis_url],
            cwd=ROOT,
            env={**os.environ, **subject.environment, "BENCHMARK_SERVERS": servers},
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(f"{subject.name} on {url} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    outcome = Outcome.read(done.stdout.splitlines()[-1])
    _check(subject, place, outcome, redis_url)
    return outcome


def _check(subject: Subject, place: Place, outcome: Outcome, redis_url: str) -> None:
    delivered, arrived = outcome.documents, place.documents
    if subject.results:
        redis: Any  # redis-py types most of its methods for two clients
        with Redis.from_url(redis_url) as redis:
            arrived = count(redis, subject.results)
            ends = _ends(redis, subject.results) if subject.is_exact else ()
        if subject.is_exact and ends != place.ends():
            raise RuntimeError(f"{subject.name}: the first or the last document is not what was served")
    if arrived != place.documents or delivered != place.documents * subject.times:
        raise RuntimeError(f"{subject.name}: {delivered} documents delivered, {arrived} of {place.documents} arrived")


def count(redis: Any, key: str) -> int:
    """Documents in a stream or a list."""
    return int(redis.llen(key) if redis.type(key) == b"list" else redis.xlen(key))


def _ends(redis: Any, key: str) -> tuple[bytes, bytes]:
    first, last = redis.xrange(key, count=1), redis.xrevrange(key, count=1)
    return next(iter(first[0][1].values())), next(iter(last[0][1].values()))
