"""The fleet as a user sees it: enqueue a crawl, look at it, steer it, read its documents."""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from types import TracebackType
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from redis.asyncio import Redis

from pagefleet import keys as key
from pagefleet.connection import check, open_redis, patiently
from pagefleet.crawl import Crawl
from pagefleet.embedded import embedded
from pagefleet.errors import CrawlCancelled, CrawlExists, CrawlFailed, CrawlMissing, LaterRelease, Trimmed
from pagefleet.events import Event, events
from pagefleet.keys import SliceKeys
from pagefleet.page import Cursor, Document, Quarantined
from pagefleet.scripts import Scripts, Verb
from pagefleet.source import PythonSource
from pagefleet.states import State, combined
from pagefleet.verdict import Signals, Verdict, judge

BEFORE_ALL = "0-0"
"""The id behind which a stream begins."""
UNNAMED = "unnamed-"
READ, READ_BYTES = 500, 2 * 1024**2
"""Documents that are read at once: at most so many, and about so many bytes of them. One answer must come within a
connection's time-out, also over a slow line."""
Description: TypeAdapter[Crawl | PythonSource] = TypeAdapter(
    Annotated[Crawl | PythonSource, Field(discriminator="kind")], config=ConfigDict(defer_build=True)
)


@dataclass(frozen=True, slots=True)
class Status:
    """A crawl at one moment. Times are Redis' own, in seconds since 1970; None: not yet."""

    id: str
    state: State
    documents: int
    pages: int
    bytes: int
    backlog: int
    """Documents in the results stream."""
    trimmed: str
    """Id of the last document that was dropped because everybody had read it; 0-0: none was."""
    quarantined: int
    """Documents that could not be had; `Handle.quarantine` tells why."""
    total: int | None
    """As the source last declared it."""
    cursor: Cursor
    worker: str
    """Who holds the lease; empty: nobody."""
    leases: int
    rescued: int
    reason: str
    """Why it snoozes."""
    fault: str
    """Why the worker that holds the lease tries a page again; told at each renewal."""
    error: str
    """Why it failed."""
    notice: str
    """What happened on the way that its readers should know of: a cursor died, and how it went on."""
    enqueued: float
    committed: float | None
    finished: float | None
    until: float | None
    """When the lease or the snooze ends."""
    verdict: Verdict | None
    """Of a finished crawl."""


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
                f"give this one another name"
            )
        return Handle(self, source.id)

    def crawl(self, crawl_id: str) -> "Handle":
        """The handle of a crawl by its id; whether there is one is asked at first use."""
        return Handle(self, crawl_id)

    async def crawls(self) -> list[Status]:
        """All crawls, the latest first."""
        ids = await patiently(lambda: self.redis.zrevrange(key.CRAWLS, 0, -1), "listing crawls", self.patience)
        return [await self.crawl(crawl_id.decode()).status() for crawl_id in ids]

    async def source(self, crawl_id: str) -> Crawl | PythonSource:
        """The description that a crawl was enqueued with; raises `CrawlMissing`, and `LaterRelease` when this release
        does not know all of it: what it does not know may be what makes another crawl of it."""
        where = key.crawl(crawl_id)
        found = await patiently(lambda: self.redis.hget(where, "description"), f"looking up {crawl_id}", self.patience)
        if found is None:
            raise _missing(crawl_id)
        try:
            return Description.validate_json(found)
        except ValidationError as error:  # it was valid where it was enqueued
            fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = ".".join(map(str, fault["loc"]))
            raise LaterRelease(
                f"reading the description of {crawl_id}: {where}: {fault['msg']}; it was enqueued by a later release, "
                f"so run that here, too"
            ) from error


class Handle:
    """One crawl of a fleet."""

    def __init__(self, fleet: Fleet, crawl_id: str) -> None:
        self._fleet = fleet
        self.id = crawl_id
        self.keys = SliceKeys(crawl_id)
        self._acknowledged: dict[str, tuple[str, str]] = {}

    async def status(self) -> Status:
        """The crawl now; raises `CrawlMissing`."""
        row, *lengths = await patiently(self._row, f"looking up {self.id}", self._fleet.patience)
        if not row:
            raise _missing(self.id)
        return _status(self.id, row, *lengths)

    async def _row(self) -> tuple[Mapping[str, str], int, int]:
        async with self._fleet.redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(self.keys.slice)
            pipe.xlen(self.keys.documents)
            pipe.xlen(self.keys.quarantine)
            row, backlog, quarantined = await pipe.execute()
        return {name.decode(): value.decode() for name, value in row.items()}, backlog, quarantined

    async def wait(self, timeout: float | None = None) -> Status:
        """Until it is over; raises `CrawlFailed` if it failed or was cancelled, `TimeoutError` after `timeout` s."""
        async with asyncio.timeout(timeout):
            while True:
                status = await self.status()
                if status.state.is_over:
                    _check_success(status)
                    return status
                await asyncio.sleep(0.1)

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

    async def quarantine(self) -> list[Quarantined]:
        """The documents that could not be had, and why."""
        redis, where = self._fleet.redis, self.keys.quarantine
        found = await patiently(lambda: redis.xrange(where), f"looking up what {self.id} lacks", self._fleet.patience)
        return [Quarantined(json.loads(row[b"cursor"]), row[b"reason"].decode()) for _, row in found]

    async def events(self) -> list[Event]:
        """What has moved it from state to state, the last 200 times; the oldest first."""

        async def look() -> list[Any]:
            async with self._fleet.redis.pipeline(transaction=True) as pipe:
                pipe.hvals(self.keys.events)
                pipe.hmget(self.keys.slice, ["state", "events"])
                return await pipe.execute()

        stored, (state, count) = await patiently(look, f"looking up what moved {self.id}", self._fleet.patience)
        if state is None:
            raise _missing(self.id)
        return events(stored, int(count or 0))

    async def _steer(self, verb: Verb) -> State:
        state = await self._fleet.scripts.steer(self.keys, verb)
        if state == "gone":
            raise _missing(self.id)
        return State(state)

    async def documents(self, consumer: str | None = None) -> AsyncGenerator[Document]:
        """The documents in order, while the crawl goes on and to its end.

        Without a name, from the first one; who leaves is forgotten. A named consumer goes on behind the last document
        that it is known to be done with: it counts as done when the next `READ` are asked for, so after a crash some
        come again, with the same ids; documents are kept for it until `forget`. Raises `CrawlFailed` behind the last
        document of a crawl that failed or was cancelled, and `Trimmed` when the first ones have been dropped.
        """
        name = consumer or f"{UNNAMED}{secrets.token_hex(4)}"
        after, _ = await self.position(name) or (BEFORE_ALL, "")
        await self.acknowledge(name, after)
        try:
            async with aclosing(self.batches(after)) as batches:
                async for batch in batches:
                    for document in batch:
                        yield document
                    await self.acknowledge(name, batch[-1].id)
        finally:
            if consumer is None:
                await self.forget(name)

    async def batches(self, after: str | None = None, *, is_following: bool = True) -> AsyncGenerator[list[Document]]:
        """The documents behind an id, as many at a time as there are, up to `READ`; acknowledges nothing.

        Following, it waits for more until the crawl is over; else it ends with what is there now.
        """
        after, status = after or BEFORE_ALL, await self.status()
        count = _at_once(status.documents, status.bytes)
        while True:
            entries, state, trimmed = await self._read(after, count)
            if _place(after) < _place(trimmed):
                raise Trimmed(
                    f"reading {self.id} behind {after}: the documents up to {trimmed} were read by every consumer and "
                    f"dropped to make room; read as a named consumer, or raise limits.backlog to keep more"
                )
            if entries:
                yield entries
                after = entries[-1].id
                count = _at_once(len(entries), sum(map(len, entries)))
            elif state.is_over:
                _check_success(await self.status())
                return
            else:
                if not is_following:
                    return
                if state is State.SNOOZED:
                    await self._acknowledge_again()
                await self._await_more(after)

    async def _read(self, after: str, count: int) -> tuple[list[Document], State, str]:
        """What is there, the slice's state and what was trimmed, all at one moment."""

        async def look() -> list[Any]:
            async with self._fleet.redis.pipeline(transaction=True) as pipe:
                pipe.xread({self.keys.documents: after}, count=count)
                pipe.hmget(self.keys.slice, ["state", "trimmed", "page", "index"])
                return await pipe.execute()

        found, (state, trimmed, *checkpoint) = await patiently(look, f"reading {self.id}", self._fleet.patience)
        if state is None:
            raise _missing(self.id)
        end = (int(checkpoint[0]), int(checkpoint[1]))  # what is behind it is left from a torn write
        documents = [_document(entry_id, fields) for _, entries in found for entry_id, fields in entries]
        documents = [document for document in documents if _place(document.id) < end]
        return documents, State(state.decode()), (trimmed or b"0-0").decode()

    async def _await_more(self, after: str) -> None:
        redis, stream = self._fleet.redis, self.keys.documents
        await patiently(
            lambda: redis.xread({stream: after}, count=1, block=500), f"reading {self.id}", self._fleet.patience
        )

    async def acknowledge(self, consumer: str, document: str, note: str = "") -> None:
        """Say that a consumer is done with all documents up to this id; they may be dropped when room is needed."""
        await self._fleet.scripts.acknowledge(self.keys, consumer, document, note)
        self._acknowledged[consumer] = document, note

    async def _acknowledge_again(self) -> None:
        """Redis may have forgotten it, and the documents behind it: then the slice waits for room, and the consumer for
        documents behind those that are there, and neither would ever end."""
        for consumer, (document, note) in list(self._acknowledged.items()):
            await self._fleet.scripts.acknowledge(self.keys, consumer, document, note)

    async def consumers(self) -> dict[str, str]:
        """Who reads, by the id of the last document that each is done with; who has no name is `unnamed-…`."""

        async def look() -> Any:
            async with self._fleet.redis.pipeline(transaction=False) as pipe:
                pipe.hgetall(self.keys.consumers)
                return (await pipe.execute())[0]

        found = await patiently(look, f"looking up who reads {self.id}", self._fleet.patience)
        return {name.decode(): position.decode().partition(" ")[0] for name, position in found.items()}

    async def forget(self, consumer: str) -> None:
        """A consumer will not come back: no documents are kept for it any longer."""
        redis, where = self._fleet.redis, self.keys.consumers
        self._acknowledged.pop(consumer, None)
        await patiently(lambda: redis.hdel(where, consumer), f"forgetting {consumer}", self._fleet.patience)

    async def position(self, consumer: str) -> tuple[str, str] | None:
        """The id and the note that a consumer last acknowledged."""
        redis, where = self._fleet.redis, self.keys.consumers
        found = await patiently(lambda: redis.hget(where, consumer), f"looking up {consumer}", self._fleet.patience)
        if found is None:
            return None
        document, _, note = found.decode().partition(" ")
        return document, note


def _document(entry_id: bytes, fields: Mapping[bytes, bytes]) -> Document:
    return Document(fields[b"d"], entry_id.decode(), fields[b"k"].decode() if b"k" in fields else None)


def _at_once(documents: int, size: int) -> int:
    """How many to read at once, where so many have this size."""
    return max(1, min(READ, READ_BYTES * documents // size)) if size else READ


def _place(document: str) -> tuple[int, int]:
    page, _, index = document.partition("-")
    return int(page), int(index)


def _missing(crawl_id: str) -> CrawlMissing:
    return CrawlMissing(f"looking up the crawl {crawl_id}: there is none in this Redis; `pagefleet ls` lists them")


def _check_success(status: Status) -> None:
    if status.state is State.CANCELLED:
        raise CrawlCancelled(f"crawl {status.id} was cancelled behind {status.documents:,} documents, for good")
    if status.state is State.FAILED:
        raise CrawlFailed(f"crawl {status.id} failed behind {status.documents} documents: {status.error}")


def _status(crawl_id: str, row: Mapping[str, str], backlog: int, quarantined: int) -> Status:
    state = combined([State(row["state"])])
    documents, total = int(row["documents"]), row.get("total")
    signals = Signals(documents, int(total) if total else None, int(row.get("drifts", 0)), row.get("doubts", ""))
    return Status(
        id=crawl_id,
        state=state,
        documents=documents,
        pages=int(row["pages"]),
        bytes=int(row["bytes"]),
        backlog=backlog,
        quarantined=quarantined,
        trimmed=row.get("trimmed", "0-0"),
        total=signals.total,
        cursor=json.loads(row["cursor"]),
        worker=row.get("worker", ""),
        leases=int(row["leases"]),
        rescued=int(row.get("rescued", 0)),
        reason=row.get("reason", "") if state is State.SNOOZED else "",
        fault=row.get("fault", "") if state is State.RUNNING else "",
        error=row.get("error", ""),
        notice=row.get("notice", ""),
        enqueued=int(row["enqueued"]) / 1000,
        committed=_seconds(row, "committed"),
        finished=_seconds(row, "finished"),
        until=_seconds(row, "until"),
        verdict=judge(signals) if state is State.FINISHED else None,
    )


def _seconds(row: Mapping[str, str], field: str) -> float | None:
    return int(row[field]) / 1000 if int(row.get(field, 0)) else None


def _difference(one: Crawl | PythonSource, other: Crawl | PythonSource) -> str:
    mine, theirs = (source.model_dump(mode="json") for source in (one, other))
    names = sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
    return " and ".join(names)
