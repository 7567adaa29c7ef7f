"""The audit of a crawl: that it is whole, derived again from Redis alone.

    found = await audit(fleet, "crossref")
    found.findings      what does not agree, a word for machines and a sentence for people each; none: all does
    found.limits        what cannot be checked any more

The ledger has a row a page: the cursor that fetched it, the cursor behind it, how many documents it had, and their
digest. The rows must be a chain from the start to the end, the documents in the stream must be those of the rows, and
the checkpoint must stand behind the last row. A crawl may go on meanwhile: what is before its checkpoint stays.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

from pagefleet.chain import Chain, Entry, Keys, Row, Standing, place
from pagefleet.connection import patiently
from pagefleet.fleet import Fleet
from pagefleet.keys import WHOLE, SliceKeys
from pagefleet.states import State, combined

AT_ONCE, BYTES = 500, 2 * 1024**2
"""Rows or documents that are read at once: at most so many, and about so many bytes of them."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found."""

    id: str
    state: State
    pages: int
    """Rows of the ledger that were looked at."""
    documents: int
    """Documents that are what the row of their page says."""
    keys: int
    """Keys that were compared."""
    findings: tuple[tuple[str, str], ...]
    limits: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """It is finished, all that can be checked agrees, and its verdict is that it is complete."""
        return not self.findings


async def audit(fleet: Fleet, crawl_id: str) -> Audit:
    """Derive again whether a crawl is whole; raises `CrawlMissing`."""
    handle = fleet.crawl(crawl_id)
    while True:
        status, slices = await handle.status(), await handle.slices()
        keys = Keys()
        found = [await _audit(fleet, SliceKeys(crawl_id, number), keys) for number in slices or [WHOLE]]
        if slices.keys() == (await handle.slices()).keys():
            break
        # One was split meanwhile: what was looked at is not the whole.
    findings = [finding for one in found for finding in one.findings]
    if status.verdict and all(one.state is State.FINISHED for one in found):
        findings += status.verdict.reasons
    counts = (sum(one.pages for one in found), sum(one.documents for one in found), keys.count)
    limits = [limit for one in found for limit in one.limits]
    return Audit(crawl_id, combined([one.state for one in found]), *counts, tuple(findings), tuple(limits))


async def _audit(fleet: Fleet, keys: SliceKeys, before: Keys) -> Audit:
    """Of one slice, but for its verdict; `before` are the keys of those before it, and then its own, too."""
    reading = _Reading(fleet, keys)
    while True:
        standing = await reading.standing()
        chain = Chain(standing)
        await _see(reading, chain)
        after = await reading.standing()
        if after.at >= standing.at:
            break
        # Redis went back while we read: the one half of it is of another time than the other.
    findings, limits = chain.result(after.trimmed)
    if twice := before.add(chain.keys):
        findings.append(("duplicate", f"{twice} of its keys stand in slices before it, too"))
    if keys.number != WHOLE:
        findings = [(word, f"slice {keys.number}: {said}") for word, said in findings]
        limits = [f"slice {keys.number}: {said}" for said in limits]
    counts = (chain.rows, chain.documents, chain.keys.count)
    return Audit(keys.tag, standing.state, *counts, tuple(findings), tuple(limits))


async def _see(reading: "_Reading", chain: Chain) -> None:
    """Rows and documents side by side, in the order of pages."""
    async with aclosing(reading.rows()) as rows, aclosing(reading.pages()) as pages:
        held = await anext(pages, None)
        async for row in rows:
            while held and held[0] < row.page:
                chain.see_rowless(*held)
                held = await anext(pages, None)
            if held and held[0] == row.page:
                chain.see(row, held[1])
                held = await anext(pages, None)
            else:
                chain.see(row, [])
        while held:
            chain.see_rowless(*held)
            held = await anext(pages, None)


class _Reading:
    """What Redis has of one slice."""

    def __init__(self, fleet: Fleet, keys: SliceKeys) -> None:
        self._redis: Any = fleet.redis  # redis-py types most of its methods for the synchronous client and this at once
        self._keys = keys
        self._patience = fleet.patience

    async def standing(self) -> Standing:
        row = await self._asked(partial(self._redis.hgetall, self._keys.slice))
        return Standing.of({name.decode(): value.decode() for name, value in row.items()})

    async def rows(self) -> AsyncGenerator[Row]:
        """The ledger, in order."""
        async for entry_id, fields in self._entries(self._keys.ledger):
            told = {name.decode(): value.decode() for name, value in fields.items()}
            page, _ = place(entry_id)
            yield Row(page, told["cursor"], told["next"], int(told["documents"]), told["digest"])

    async def pages(self) -> AsyncGenerator[tuple[int, Sequence[Entry]]]:
        """The stream, in order, by pages that have documents."""
        number, held = 0, list[Entry]()
        async for entry_id, fields in self._entries(self._keys.documents):
            page, index = place(entry_id)
            if held and page != number:
                yield number, held
                held = []
            number = page
            held.append(Entry(index, fields[b"d"], fields.get(b"k", b"")))
        if held:
            yield number, held

    async def _entries(self, stream: str) -> AsyncGenerator[tuple[str, Mapping[bytes, bytes]]]:
        start, count = "-", 10
        while True:
            found = await self._asked(partial(self._redis.xrange, stream, start, "+", count))
            for entry_id, fields in found:
                yield entry_id.decode(), fields
            if len(found) < count:
                return
            size = sum(len(value) for _, fields in found for value in fields.values())
            start, count = f"({found[-1][0].decode()}", max(1, min(AT_ONCE, BYTES * count // max(size, 1)))

    async def _asked(self, call: Any) -> Any:
        return await patiently(call, f"auditing {self._keys.crawl}", self._patience)
