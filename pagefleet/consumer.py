"""Who reads a crawl: its documents to its end, and what each consumer is done with.

A crawl in slices has a stream for each. They are read side by side, a fair share of each at a time: one that is left
for later fills up to its limit, and its slice waits.
"""

import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

from redis.asyncio import Redis

from pagefleet import keys as key
from pagefleet.connection import patiently
from pagefleet.keys import WHOLE, SliceKeys
from pagefleet.page import BEFORE_ALL, Document
from pagefleet.results import Reading, Results, fitting, joined, split_id
from pagefleet.scripts import Scripts
from pagefleet.status import Status, order

UNNAMED = "unnamed-"
SIGN_OF_LIFE = 60.0
"""Seconds after which a reader shows itself to all slices: some have nothing for it for long, and one that has no
name is soon taken to be gone."""


class Streams:
    """What a consumer does with a crawl."""

    def __init__(self, redis: Redis, scripts: Scripts, patience: float, crawl_id: str) -> None:
        self.id = crawl_id
        self._redis: Any = redis  # redis-py types most of its methods for the synchronous client and this at once
        self._scripts = scripts
        self._patience = patience
        self._results = Results(redis, patience, crawl_id)
        self._acknowledged: dict[tuple[str, str], tuple[str, str]] = {}
        self._incarnation = ""
        """Of what is being read: what comes too late is not for the next crawl of the name."""

    async def status(self) -> Status:
        """The crawl now; raises `CrawlMissing`."""
        raise NotImplementedError

    async def documents(self, consumer: str | None = None) -> AsyncGenerator[Document]:
        """The documents in order, while the crawl goes on and to its end; those of a crawl in slices in the order of
        each slice.

        Without a name, from the first one; who leaves is forgotten. A named consumer goes on behind the last document
        that it is known to be done with: it counts as done when the next `READ` are asked for, so after a crash some
        come again, with the same ids; documents are kept for it until `forget`. Raises `CrawlFailed` behind the last
        document of a crawl that failed or was cancelled, and `Trimmed` when the first ones have been dropped.
        """
        name = consumer or f"{UNNAMED}{secrets.token_hex(4)}"
        at = {number: document for number, (document, _) in (await self.positions(name)).items()}
        await self.register(name, at.values())
        shown = time.monotonic()
        try:
            async with aclosing(self.batches(at.values())) as batches:
                async for batch in batches:
                    for document in batch:
                        yield document
                    number, _ = split_id(batch[-1].id)
                    at[number] = batch[-1].id
                    await self.acknowledge(name, batch[-1].id)
                    if number != WHOLE and time.monotonic() - shown > SIGN_OF_LIFE:
                        await self.register(name, at.values())
                        shown = time.monotonic()
        finally:
            if consumer is None:
                await self.forget(name)

    async def batches(
        self, after: str | Iterable[str] | None = None, *, is_following: bool = True
    ) -> AsyncGenerator[list[Document]]:
        """The documents behind an id (in slices: behind one of each), as many at a time as there are, up to `READ`,
        each time of one slice; acknowledges nothing.

        Following, it waits for more until the crawl is over; else it ends with what is there now.
        """
        status = await self.status()
        after = [after] if isinstance(after, str) else after or ()
        reading = Reading(self._results, dict(map(split_id, after)), fitting(status.documents, status.bytes))
        while True:
            async with aclosing(reading.all_slices()) as batches:
                async for batch in batches:
                    self._incarnation = reading.incarnation
                    yield batch
            if reading.is_over and reading.once_more():
                continue
            if reading.is_over:
                (await self.status()).check_success()
                return
            if not is_following:
                return
            if reading.is_snoozed:
                await self._acknowledge_again()
            async with aclosing(reading.as_they_come()) as batches:
                async for batch in batches:
                    self._incarnation = reading.incarnation
                    yield batch

    # What consumers are done with

    async def register(self, consumer: str, after: Iterable[str] = (), note: str = "") -> None:
        """Nothing behind these ids, in any slice, is dropped from now on before this consumer is done with it."""
        places = dict(map(split_id, after))

        async def registered(slice_: SliceKeys) -> None:
            at = places.get(slice_.number, BEFORE_ALL)
            await self.acknowledge(consumer, joined(slice_.number, at), note)

        await self.everywhere(registered)

    async def acknowledge(self, consumer: str, document: str, note: str = "") -> None:
        """Say that a consumer is done with all documents up to this id; they may be dropped when room is needed."""
        number, place_ = split_id(document)
        await self._scripts.acknowledge(self._of(number), consumer, place_, note, self._incarnation)
        self._acknowledged[consumer, number] = place_, note

    async def _acknowledge_again(self) -> None:
        """Redis may have forgotten it, and the documents behind it: then the slice waits for room, and the consumer for
        documents behind those that are there, and neither would ever end."""
        for (consumer, number), (document, note) in list(self._acknowledged.items()):
            await self._scripts.acknowledge(self._of(number), consumer, document, note, self._incarnation)

    async def consumers(self) -> dict[str, str]:
        """Who reads, by the id of the last document that each is done with, or some of them where there are slices;
        who has no name is `unnamed-…`."""
        numbers = await self.numbers()

        async def ask() -> Any:
            async with self._redis.pipeline(transaction=False) as pipe:
                for number in numbers:
                    pipe.hgetall(self._of(number).consumers)
                return await pipe.execute()

        every = await patiently(ask, f"looking up who reads {self.id}", self._patience)
        found: dict[str, list[str]] = {}
        for number, there in zip(numbers, every, strict=True):
            for name, position in there.items():
                found.setdefault(name.decode(), []).append(joined(number, position.decode().partition(" ")[0]))
        return {name: _some(ids) for name, ids in found.items()}

    async def forget(self, consumer: str) -> None:
        """A consumer will not come back: no documents are kept for it any longer."""
        for known in [known for known in self._acknowledged if known[0] == consumer]:
            del self._acknowledged[known]

        async def forgotten(slice_: SliceKeys) -> None:
            call = partial(self._redis.hdel, slice_.consumers, consumer)
            await patiently(call, f"forgetting {consumer}", self._patience)

        await self.everywhere(forgotten)

    async def positions(self, consumer: str) -> dict[str, tuple[str, str]]:
        """The id and the note that a consumer last acknowledged in each slice, by its number; whoever asks begins to
        read."""
        self._incarnation = ""
        numbers = await self.numbers()

        async def ask() -> Any:
            async with self._redis.pipeline(transaction=False) as pipe:
                for number in numbers:
                    pipe.hget(self._of(number).consumers, consumer)
                return await pipe.execute()

        found: dict[str, tuple[str, str]] = {}
        for number, said in zip(numbers, await patiently(ask, f"looking up {consumer}", self._patience), strict=True):
            if said is not None:
                document, _, note = said.decode().partition(" ")
                found[number] = joined(number, document), note
        return found

    # Which slices there are

    def _of(self, number: str) -> SliceKeys:
        return SliceKeys(self.id, number)

    async def numbers(self) -> list[str]:
        """Of all slices, parents before their children."""
        found = await patiently(
            partial(self._redis.hkeys, key.slices(self.id)), f"looking up the slices of {self.id}", self._patience
        )
        return [WHOLE, *sorted((number.decode() for number in found), key=order)]

    async def everywhere(self, act: Callable[[SliceKeys], Awaitable[object]]) -> None:
        """On every slice, and on those that come into being meanwhile."""
        done: set[str] = set()
        while fresh := [number for number in await self.numbers() if number not in done]:
            for number in fresh:
                await act(self._of(number))
            done.update(fresh)


def _some(ids: Sequence[str]) -> str:
    """A consumer of many slices stands at the start of most."""
    moved = [document for document in ids if split_id(document)[1] != BEFORE_ALL] or ids[:1]
    return ", ".join(moved[:3]) + (f" and in {len(moved) - 3} more" if moved[3:] else "")
