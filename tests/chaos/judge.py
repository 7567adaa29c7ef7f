"""The verdict on a storm: what is in Redis and what the readers got, against what the server served."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pagefleet import Document
from pagefleet.verdict import Finding
from tests.chaos.work import Reading


class Judge:
    """`faults` says what is wrong in words; `tally` counts what was lost, came twice, or stood out of order."""

    def __init__(self, tally: Counter[str]) -> None:
        self.tally = tally
        self.faults: list[str] = []

    async def look(self, one: Reading, redis: Any) -> None:
        """At one crawl."""
        if one.failure or not one.is_read:
            self.tally["unfinished"] += 1
            self.faults.append(f"{one.given.name}: {one.failure or 'not read to its end'}: {await one.handle.status()}")
            return
        truth = one.given.documents()
        self._compare(f"{one.given.name}: its reader", one.read, truth)
        await self._stream(one, redis, truth)
        await self._row(one)
        await self._ledger(one, redis)
        self.tally["crawls"] += 1
        self.tally["documents"] += len(truth)

    async def _stream(self, one: Reading, redis: Any, truth: Mapping[str, bytes]) -> None:
        """Whole, or all behind what its reader is done with. Some of that may be there again: fetched once more for
        Redis had forgotten it, and not yet dropped again."""
        found = list(map(_read, await redis.xrange(one.handle.keys.documents)))
        if one.given.backlog:
            trimmed = (await one.handle.status()).trimmed
            ids = list(truth)
            kept = ids.index(trimmed) + 1 if trimmed in truth else 0
            again = ids.index(found[0].id) if found and found[0].id in truth else kept
            truth = {name: truth[name] for name in ids[min(kept, again) :]}
        self._compare(f"{one.given.name}: its stream", found, truth)

    def _compare(self, where: str, found: Sequence[Document], truth: Mapping[str, bytes]) -> None:
        """Sets first, then order; then that id, bytes and key belong together."""
        expected, got = Counter(truth.values()), Counter(bytes(document) for document in found)
        faults = {
            "lost": (expected - got).total(),
            "duplicated": (got - expected).total(),
            "out of order": [document.id for document in found] != list(truth) and expected == got,
            "under another id": sum(truth.get(document.id) != document for document in found),
            "with another's key": sum(document.key != str(document.json()["id"]) for document in found),
        }
        for what, count in faults.items():
            self.tally[what] += int(count)
            if count:
                self.faults.append(f"{where}: {int(count)} {what}")

    async def _row(self, one: Reading) -> None:
        status = await one.handle.status()
        counts = (status.documents, status.verdict and status.verdict.finding)
        if counts != (one.given.count, Finding.COMPLETE):
            self.tally["wrong verdicts"] += 1
            self.faults.append(f"{one.given.name}: {one.given.count} were served: {status}")

    async def _ledger(self, one: Reading, redis: Any) -> None:
        """Each page once, each fetched with the cursor that the one before it ended with."""
        chain: list[tuple[str, str]] = []
        documents = 0
        for number, (entry, fields) in enumerate(await redis.xrange(one.handle.keys.ledger), 1):
            if entry.decode() != f"{number}-0":
                self._broken(one, f"row {number} is of page {entry.decode()}")
            chain.append((fields[b"cursor"].decode(), fields[b"next"].decode()))
            documents += int(fields[b"documents"])
        cursors = [cursor for cursor, _ in chain] + ["null"]
        if cursors != ["null"] + [following for _, following in chain]:
            self._broken(one, f"its chain of cursors: {chain}")
        if (documents, len(chain)) != (one.given.count, (await one.handle.status()).pages):
            self._broken(one, f"{documents} documents in {len(chain)} pages")

    def _broken(self, one: Reading, what: str) -> None:
        self.tally["broken ledgers"] += 1
        self.faults.append(f"{one.given.name}: {what}")


def _read(entry: tuple[bytes, Mapping[bytes, bytes]]) -> Document:
    """As it stands in a stream."""
    number, fields = entry
    document = Document(fields[b"d"])
    document.id, document.key = number.decode(), fields[b"k"].decode()
    return document
