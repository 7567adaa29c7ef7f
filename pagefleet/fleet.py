"""The fleet as a user sees it: enqueue a crawl, look at it, steer it, read its documents."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from types import TracebackType
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from redis.asyncio import Redis

from pagefleet import keys as key
from pagefleet.connection import check, open_redis, patiently
from pagefleet.consumer import Streams
from pagefleet.crawl import Crawl
from pagefleet.embedded import embedded
from pagefleet.errors import CrawlExists, CrawlGoesOn, CrawlMissing, LaterRelease
from pagefleet.events import Event, events, merged
from pagefleet.keys import WHOLE, SliceKeys
from pagefleet.page import Quarantined
from pagefleet.results import missing
from pagefleet.scripts import Scripts, Verb
from pagefleet.slices import Bounds
from pagefleet.source import PythonSource
from pagefleet.states import State, combined
from pagefleet.status import Found, Status, Tree, status

AT_ONCE = 200
"""Slices that are looked up at once."""
Description: TypeAdapter[Crawl | PythonSource] = TypeAdapter(
    Annotated[Crawl | PythonSource, Field(discriminator="kind")], config=ConfigDict(defer_build=True)
)


class Fleet:
    """The crawls in one Redis. Without a URL, in an embedded one that keeps its file in `.pagefleet/`.

    Raises `RedisUnusable` on entry when Redis does not answer or would lose documents, and later when Redis is away
    for longer than `patience` seconds.
    """

    def __init__(self, url: str | None = None, *, patience: float = 15.0) -> None:
        self._url = url
        self.patience = patience
        self._stack = AsyncExitStack()
        self.url = url or ""
        """Of the Redis in use, also when it is embedded."""

    async def __aenter__(self) -> Self:
        try:
            if self._url is None:
                self.url = await self._stack.enter_async_context(embedded())
            self.redis: Redis = open_redis(self.url)
            self._stack.push_async_callback(self.redis.aclose, close_connection_pool=True)
            await check(self.redis, self.url)
        except BaseException:
            await self._stack.aclose()
            raise
        self.scripts = Scripts(self.redis, self.patience)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def enqueue(self, source: Crawl | PythonSource) -> "Handle":
        """Start a crawl. The same one again gives the same handle, whatever has become of it meanwhile; a different
        one under the same name raises `CrawlExists`."""
        description = json.dumps(
            source.model_dump(mode="json", by_alias=True, exclude_defaults=True) | {"kind": source.kind}
        )
        backlog = source.limits.backlog or 0
        answer = await self.scripts.enqueue(SliceKeys(source.id), description, source.fingerprint, backlog)
        if answer == "other":
            there = await self.source(source.id)
            raise CrawlExists(
                f"enqueueing {source.id}: another crawl has this name, with another {_difference(source, there)}; "
                f"give this one another name, or delete that one"
            )
        return Handle(self, source.id)

    def crawl(self, crawl_id: str) -> "Handle":
        """The handle of a crawl by its id; whether there is one is asked at first use."""
        return Handle(self, crawl_id)

    async def crawls(self) -> list[Status]:
        """All crawls, the latest first, without those that somebody has deleted."""
        ids = await patiently(lambda: self.redis.zrevrange(key.CRAWLS, 0, -1), "listing crawls", self.patience)
        found: list[Status] = []
        for crawl_id in ids:
            with suppress(CrawlMissing):
                found.append(await self.crawl(crawl_id.decode()).status())
        return found

    async def source(self, crawl_id: str) -> Crawl | PythonSource:
        """The description that a crawl was enqueued with; raises `CrawlMissing`, and `LaterRelease` when this release
        does not know all of it: what it does not know may be what makes another crawl of it."""
        where = key.crawl(crawl_id)
        found = await patiently(lambda: self.redis.hget(where, "description"), f"looking up {crawl_id}", self.patience)
        if found is None:
            raise missing(crawl_id)
        try:
            return Description.validate_json(found)
        except ValidationError as error:  # it was valid where it was enqueued
            fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = ".".join(map(str, fault["loc"]))
            raise LaterRelease(
                f"reading the description of {crawl_id}: {where}: {fault['msg']}; it was enqueued by a later release, "
                f"so run that here, too"
            ) from error

    async def bounds(self, slice_: SliceKeys) -> tuple[str | None, list[Bounds]]:
        """Of a slice, as JSON (None: it is the whole crawl); and those of its children, once they are laid down. Raises
        `CrawlMissing` for a slice of a crawl that was deleted without it."""

        async def look() -> Any:
            async with self.redis.pipeline(transaction=False) as pipe:
                pipe.hmget(slice_.slice, ["bounds", "plan", "incarnation"])
                pipe.hget(key.crawl(slice_.crawl), "incarnation")
                return await pipe.execute()

        (bounds, plan, own), its = await patiently(look, f"looking up {slice_.tag}", self.patience)
        if own and own != its:  # without one, a worker of an earlier release made it
            raise CrawlMissing(f"looking up {slice_.tag}: its crawl was deleted, and another one has the name")
        return bounds and bounds.decode(), json.loads(plan or b"[]")


class Handle(Streams):
    """One crawl of a fleet."""

    def __init__(self, fleet: Fleet, crawl_id: str) -> None:
        super().__init__(fleet.redis, fleet.scripts, fleet.patience, crawl_id)
        self._fleet = fleet
        self.keys = SliceKeys(crawl_id)
        self._source: Crawl | PythonSource | None = None
        self._source_of = ""

    async def status(self) -> Status:
        """The crawl now; raises `CrawlMissing`."""
        found = await self._found()
        whole = found[WHOLE]
        return (await self._tree(found)).status() if whole.children else status(self.id, whole)

    async def slices(self) -> dict[str, tuple[str, Status]]:
        """Of a crawl in slices those that are walked, by number: which part each is, and how it stands."""
        found = await self._found()
        if not found[WHOLE].children:
            return {}
        tree = await self._tree(found)
        return {number: (tree.title(number), tree.part(number)) for number in tree.leaves}

    async def _tree(self, found: Mapping[str, Found]) -> Tree:
        incarnation = found[WHOLE].row.get("incarnation", "")
        if self._source is None or incarnation != self._source_of:
            self._source, self._source_of = await self._fleet.source(self.id), incarnation
        if not isinstance(self._source, Crawl) or self._source.slices is None:
            raise CrawlMissing(f"looking up {self.id}: it is split, and has no slices; its description was changed")
        return Tree(self.id, self._source.slices, self._source.cap, found)

    async def _found(self) -> dict[str, Found]:
        """All slices, by their numbers; raises `CrawlMissing`."""
        found = await self._look_up([WHOLE])
        if WHOLE not in found:
            raise missing(self.id)
        if not found[WHOLE].children:
            return found
        numbers = await self.numbers()
        for start in range(0, len(numbers), AT_ONCE):
            found |= await self._look_up(numbers[start : start + AT_ONCE])
        return found

    async def _look_up(self, numbers: Sequence[str]) -> dict[str, Found]:
        async def ask() -> list[Any]:
            async with self._redis.pipeline(transaction=False) as pipe:
                for number in numbers:
                    keys = SliceKeys(self.id, number)
                    pipe.hgetall(keys.slice)
                    pipe.xlen(keys.documents)
                    pipe.xlen(keys.quarantine)
                return list(await pipe.execute())

        answers = iter(await patiently(ask, f"looking up {self.id}", self._patience))
        every = {number: (next(answers), next(answers), next(answers)) for number in numbers}
        return {
            number: Found({name.decode(): value.decode() for name, value in row.items()}, backlog, quarantined)
            for number, (row, backlog, quarantined) in every.items()
            if row
        }

    async def wait(self, timeout: float | None = None) -> Status:
        """Until it is over; raises `CrawlFailed` if it failed or was cancelled, `TimeoutError` after `timeout` s."""
        async with asyncio.timeout(timeout):
            while True:
                began = time.monotonic()
                status = await self.status()
                if status.is_over:
                    status.check_success()
                    return status
                await asyncio.sleep(max(0.1, time.monotonic() - began))

    async def pause(self) -> State:
        """No page is committed from now on; answers the state after."""
        return await self._steer("pause")

    async def resume(self) -> State:
        """Go on from the checkpoint, after a pause or a failure; answers the state after."""
        return await self._steer("resume")

    async def cancel(self) -> State:
        """End it here, for good; what is delivered stays. Answers the state after."""
        return await self._steer("cancel")

    async def replay(self) -> State:
        """Of a finished crawl: try the documents again that could not be had; they arrive behind the others. Answers
        the state after."""
        return await self._steer("replay")

    async def delete(self) -> None:
        """Of a crawl that is over nothing is left, no document either, and its name is free. Raises `CrawlMissing`, and
        `CrawlGoesOn`. Again, it deletes what is left of a deletion that broke off."""
        numbers = await self.numbers()
        found = await self._look_up(numbers)
        for one in found.values() if WHOLE in found else ():
            if (state := one.row.get("state")) and not State(state).is_over:  # without one, its enqueue broke off
                raise CrawlGoesOn(f"deleting {self.id}: it is {state}; cancel it first")
        if not found:
            raise missing(self.id)
        incarnation = next((said for one in found.values() if (said := one.row.get("incarnation"))), "")
        for number in numbers:
            if await self._scripts.delete(SliceKeys(self.id, number), incarnation) == "other":
                return  # somebody else has deleted this one

    async def quarantine(self) -> list[Quarantined]:
        """The documents that could not be had, and why."""
        lost: list[Quarantined] = []
        for number in await self.numbers():
            call = partial(self._redis.xrange, SliceKeys(self.id, number).quarantine)
            found = await patiently(call, f"looking up what {self.id} lacks", self._patience)
            lost += [Quarantined(json.loads(row[b"cursor"]), row[b"reason"].decode()) for _, row in found]
        return lost

    async def events(self) -> list[Event]:
        """What has moved its slices from state to state, the last 200 times of each; the oldest first."""
        numbers, told = await self.numbers(), list[list[Event]]()
        for start in range(0, len(numbers), AT_ONCE):
            told += await self._events_of(numbers[start : start + AT_ONCE])
        return merged(told)

    async def _events_of(self, numbers: Sequence[str]) -> list[list[Event]]:
        async def look() -> list[Any]:
            async with self._redis.pipeline(transaction=True) as pipe:
                for keys in (SliceKeys(self.id, number) for number in numbers):
                    pipe.hvals(keys.events)
                    pipe.hmget(keys.slice, ["state", "events"])
                return list(await pipe.execute())

        answers = iter(await patiently(look, f"looking up what moved {self.id}", self._patience))
        told = list[list[Event]]()
        for number in numbers:
            stored, (state, count) = next(answers), next(answers)
            if state is not None:
                told.append(events(number, stored, int(count or 0)))
            elif number == WHOLE:
                raise missing(self.id)
        return told

    async def _steer(self, verb: Verb) -> State:
        """All slices, parents first: one that has not heard of it yet may be split meanwhile."""
        states: dict[str, str] = {}

        async def steered(slice_: SliceKeys) -> None:
            states[slice_.number] = await self._scripts.steer(slice_, verb)

        await self.everywhere(steered)
        if states[WHOLE] == "gone":
            raise missing(self.id)
        return combined([State(state) for state in states.values() if state != "gone"])


def _difference(one: Crawl | PythonSource, other: Crawl | PythonSource) -> str:
    mine, theirs = (source.model_dump(mode="json") for source in (one, other))
    names = sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
    return " and ".join(names)
