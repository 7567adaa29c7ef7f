"""The results streams of a crawl, side by side: what is in them now, and how far somebody has read."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

from redis.asyncio import Redis

from pagefleet.connection import patiently
from pagefleet.errors import CrawlMissing, Trimmed
from pagefleet.keys import WHOLE, SliceKeys
from pagefleet.page import BEFORE_ALL, Document
from pagefleet.states import State

READ, READ_BYTES = 500, 2 * 1024**2
"""Documents that are read at once: at most so many, and about so many bytes of them. One answer must come within a
connection's time-out, also over a slow line."""
ROW = ("state", "trimmed", "page", "index", "split", "incarnation")
STREAMS = 50
"""That are read at once."""
WAIT = 0.5
"""Seconds after which all slices are looked at again, whether or not there is something in their streams."""


@dataclass(frozen=True, slots=True)
class Look:
    """One slice at a moment; `state` is None if it is not there."""

    number: str
    documents: list[Document]
    is_more: bool
    """More was there than was asked for, perhaps."""
    state: State | None
    trimmed: str
    children: int
    incarnation: str

    @classmethod
    def of(cls, number: str, entries: Sequence[Any], row: Sequence[bytes | None]) -> "Look":
        state, trimmed, page, index, children, incarnation = row
        if state is None or page is None or index is None:
            return cls(number, [], is_more=False, state=None, trimmed=BEFORE_ALL, children=0, incarnation="")
        end = (int(page), int(index))  # what is behind it is left from a torn write
        found = [(entry_id.decode(), fields) for entry_id, fields in entries]
        documents = [_document(number, entry_id, fields) for entry_id, fields in found if place(entry_id) < end]
        is_more = bool(documents) and len(documents) == len(entries)
        said = State(state.decode())
        dropped, of = (trimmed or b"").decode() or BEFORE_ALL, (incarnation or b"").decode()
        return cls(number, documents, is_more, said, dropped, int(children or 0), of)


class Results:
    """Of one crawl, in Redis."""

    def __init__(self, redis: Redis, patience: float, crawl_id: str) -> None:
        self.id = crawl_id
        self._redis: Any = redis  # redis-py types most of its methods for the synchronous client and this at once
        self._patience = patience

    async def look(self, places: Mapping[str, str], count: int) -> "list[Look]":
        """What is in slices behind these places, their states and what was trimmed, all at one moment."""

        async def ask() -> list[Any]:
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.xread(
                    {SliceKeys(self.id, number).documents: after for number, after in places.items()}, count=count
                )
                for number in places:
                    pipe.hmget(SliceKeys(self.id, number).slice, ROW)
                return list(await pipe.execute())

        found, *rows = await patiently(ask, f"reading {self.id}", self._patience)
        entries = dict(found)
        return [
            Look.of(number, entries.get(SliceKeys(self.id, number).documents.encode(), []), row)
            for number, row in zip(places, rows, strict=True)
        ]

    async def await_more(self, places: Mapping[str, str], seconds: float) -> list[str]:
        """The slices that have something behind these places, once one has."""
        streams = {SliceKeys(self.id, number).documents: after for number, after in places.items()}
        call = partial(self._redis.xread, streams, count=1, block=max(1, round(seconds * 1000)))
        there = {stream for stream, _ in await patiently(call, f"reading {self.id}", self._patience)}
        return [number for number in places if SliceKeys(self.id, number).documents.encode() in there]


class Reading:
    """How far somebody has read. `at` is the last id of each slice."""

    def __init__(self, results: Results, at: dict[str, str], count: int) -> None:
        self._results = results
        self._at = at
        self._count = count
        self._open: dict[str, State | None] = {WHOLE: None}
        """Slices of which there may be more, as they were last seen."""
        self.incarnation = ""
        """Which crawl of its name it is, once something of it was seen."""
        self._was_split = self._is_sure = False
        self._looked = 0.0

    @property
    def is_over(self) -> bool:
        """All that was seen has been read, and no more of it will come."""
        return all(state is not None and state.is_over for state in self._open.values())

    def once_more(self) -> bool:
        """Of several slices one may have been begun again since it was left: then all are to be looked at once more."""
        if not self._was_split or self._is_sure:
            return False
        self._open = {WHOLE: None}
        self._is_sure = True
        return True

    @property
    def is_snoozed(self) -> bool:
        """Something waits for room, perhaps ours."""
        return State.SNOOZED in self._open.values()

    async def all_slices(self) -> AsyncGenerator[list[Document]]:
        """What is there."""
        self._looked = time.monotonic()
        async with aclosing(self._read(list(self._open))) as batches:
            async for batch in batches:
                yield batch

    async def as_they_come(self) -> AsyncGenerator[list[Document]]:
        """What comes, until all slices are to be looked at again."""
        self._is_sure = False
        while (left := self._looked + WAIT - time.monotonic()) > 0 and not self.is_over:
            if None in self._open.values():
                await asyncio.sleep(left)
                return
            there = await self._results.await_more({number: self._place(number) for number in self._open}, left)
            async with aclosing(self._read(there)) as batches:
                async for batch in batches:
                    yield batch

    async def _read(self, numbers: list[str]) -> AsyncGenerator[list[Document]]:
        """To the end of each, a share of each at a time."""
        while numbers:
            width = min(len(numbers), STREAMS, self._count)
            group, numbers = numbers[:width], numbers[width:]
            places = {number: self._place(number) for number in group}
            for look in await self._results.look(places, max(1, self._count // width)):
                numbers += self._next(look)
                if look.documents:
                    _, self._at[look.number] = split_id(look.documents[-1].id)
                    self._count = fitting(len(look.documents), sum(map(len, look.documents)))
                    yield look.documents

    def _next(self, look: Look) -> list[str]:
        """The slices that are to be read now that this one was; raises `Trimmed`."""
        self._check(look)
        if look.state is None:
            self._open = {WHOLE: None}  # Redis forgot it, and may split otherwise now
            return []
        if look.children:
            self._was_split = True
            self._open.pop(look.number, None)
            children = [f"{look.number}.{n}" for n in range(look.children)]
            self._open |= dict.fromkeys(children)
            return children
        self._open[look.number] = look.state
        if look.state is State.FINISHED and not look.documents and self._was_split and not self._is_sure:
            del self._open[look.number]
        return [look.number] if look.is_more else []

    def _check(self, look: Look) -> None:
        if look.state is None and look.number == WHOLE:
            raise missing(self._results.id)
        if self.incarnation and look.incarnation not in ("", self.incarnation):
            raise CrawlMissing(f"reading {self._results.id}: it was deleted meanwhile, and another one has the name")
        self.incarnation = self.incarnation or look.incarnation
        after = self._place(look.number)
        if place(after) < place(look.trimmed):
            where = f" in slice {look.number}" if look.number != WHOLE else ""
            raise Trimmed(
                f"reading {self._results.id}{where} behind {after}: the documents up to {look.trimmed} were read by "
                f"every consumer and dropped to make room; read as a named consumer, or raise limits.backlog to keep "
                f"more"
            )

    def _place(self, number: str) -> str:
        return self._at.get(number, BEFORE_ALL)


def split_id(document: str) -> tuple[str, str]:
    """Slice and place of a document's id, `<page>-<index>`, with the slice before it where that is not the whole."""
    number, _, place_ = document.rpartition(":")
    return number or WHOLE, place_


def joined(number: str, place_: str) -> str:
    """The id of a document."""
    return place_ if number == WHOLE else f"{number}:{place_}"


def place(document: str) -> tuple[int, int]:
    """Page and index."""
    page, _, index = document.partition("-")
    return int(page), int(index)


def _document(number: str, entry_id: str, fields: Mapping[bytes, bytes]) -> Document:
    document = Document(fields[b"d"])
    document.id = joined(number, entry_id)
    if b"k" in fields:
        document.key = fields[b"k"].decode()
    return document


def fitting(documents: int, size: int) -> int:
    """How many to read at once, where so many have this size."""
    return max(1, min(READ, READ_BYTES * documents // size)) if size else READ


def missing(crawl_id: str) -> CrawlMissing:
    """There is no such crawl."""
    return CrawlMissing(f"looking up the crawl {crawl_id}: there is none in this Redis; `pagefleet ls` lists them")
