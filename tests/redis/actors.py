"""Who acts on a slice in these tests: a source that is known beforehand, workers that may be zombies, arq's part."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, cast

from msgspec.structs import replace
from redis.asyncio import Redis

from pagefleet.connection import open_redis
from pagefleet.events import KEPT, Event, events
from pagefleet.keys import DUE, QUEUE, SliceKeys
from pagefleet.page import Checkpoint, Cursor
from pagefleet.scripts import Committed, Ending, Part, Scripts
from pagefleet.states import TRANSITIONS
from pagefleet.watch import digest

T = TypeVar("T")
Verb = Literal["pause", "resume", "cancel"]
LEASE = 6.0
HOUR = 3_600_000
"""In ms."""
_numbers = itertools.count(1)


def new_fence() -> str:
    """Another each time, in its first half, too: commits are named by that."""
    return f"{next(_numbers):016x}{0:016x}"


@dataclass(frozen=True, slots=True)
class Source:
    """Page n holds `pages[n - 1]`, and is fetched with `cursor(n)`."""

    pages: Sequence[Sequence[bytes]]

    def cursor(self, page: int) -> Cursor:
        return None if page == 1 or page > len(self.pages) else {"after": page - 1}

    def chain(self, page: int, index: int = 0) -> list[tuple[str, bytes]]:
        """What a results stream holds when a slice stands here."""
        places = ((p, i) for p, held in enumerate(self.pages, 1) for i in range(len(held)))
        return [(f"{p}-{i}", self.pages[p - 1][i]) for p, i in places if (p, i) < (page, index)]

    def whole(self) -> list[tuple[str, bytes]]:
        """What it holds at the end."""
        return self.chain(len(self.pages) + 1)


def place(entry: str) -> tuple[int, int]:
    """What an entry's id says."""
    page, _, index = entry.partition("-")
    return int(page), int(index)


def source(*sizes: int) -> Source:
    """Pages of so many documents."""
    return Source([[b'{"page":%d,"n":%d}' % (p, n) for n in range(size)] for p, size in enumerate(sizes, 1)])


@dataclass(slots=True)
class Hand:
    """What a worker that leased a slice believes. Nobody tells it that it is a zombie."""

    fence: str
    checkpoint: Checkpoint
    source: Source
    commits: int = 0

    def part(self, ending: Ending = "", most: int = 500) -> Part:
        """The next commit: the page at the checkpoint, or as many of its documents as a commit may have."""
        before = self.checkpoint
        documents = self.source.pages[before.page - 1]
        end = min(len(documents), before.index + most)
        is_whole = end == len(documents)
        cursor = self.source.cursor(before.page + 1)
        after = Checkpoint(before.page + 1, 0, cursor) if is_whole else replace(before, index=end)
        is_last = is_whole and before.page == len(self.source.pages)
        self.commits += 1
        return Part(
            commit=f"{self.fence[:16]}-{self.commits}",
            before=before,
            after=after,
            ending="last" if is_last else ending if is_whole else "",
            arguments=documents[before.index : end],
            digest=digest(documents[:end]),
            size=sum(map(len, documents)),
        )


@dataclass(slots=True)
class Case:
    """One crawl of one slice, and the ways to act on it."""

    redis: Redis
    scripts: Scripts
    source: Source
    keys: SliceKeys = field(default_factory=lambda: SliceKeys("crawl"))

    async def call(self, *command: str | bytes | float) -> Any:
        """Any command, past the scripts."""
        untyped: Any = cast("Any", self.redis)
        return await untyped.execute_command(*command)

    async def enqueue(self, backlog: int = 0) -> None:
        assert await self.scripts.enqueue(self.keys, "{}", "fingerprint", backlog) == "new"

    async def row(self) -> dict[str, str]:
        found = await self.call("HGETALL", self.keys.slice)
        return {name.decode(): value.decode() for name, value in found.items()}

    async def state(self) -> str | None:
        return (await self.row()).get("state")

    async def position(self) -> tuple[int, int]:
        """Page and index, as the slice's row has them."""
        row = await self.row()
        return int(row["page"]), int(row["index"])

    async def now(self) -> int:
        """Redis' time, in ms."""
        seconds, microseconds = await self.call("TIME")
        return int(seconds) * 1000 + int(microseconds) // 1000

    async def due(self) -> float:
        """When a scheduler looks at it again, in ms from now."""
        return float(await self.call("ZSCORE", DUE, self.keys.tag)) - await self.now()

    async def documents(self) -> list[tuple[str, bytes]]:
        entries = await self.call("XRANGE", self.keys.documents, "-", "+")
        return [(entry.decode(), fields[b"d"]) for entry, fields in entries]

    async def is_whole(self) -> bool:
        """The stream is what the source served, from what was trimmed to the checkpoint, each page once, in order."""
        trimmed = place((await self.row()).get("trimmed", "0-0"))
        chain = self.source.chain(*await self.position())
        return await self.documents() == [(p, document) for p, document in chain if place(p) > trimmed]

    async def events(self) -> list[Event]:
        """What has moved the slice."""
        return events(
            self.keys.number, await self.call("HVALS", self.keys.events), int((await self.row()).get("events", 0))
        )

    async def check_events(self) -> None:
        """Each begins where the one before ended, the last one ends where the slice is, and each is a way that there
        is; the counts in the row are counts of events."""
        told, row = await self.events(), await self.row()
        count = int(row["events"])
        assert [event.number for event in told] == list(range(max(1, count - KEPT + 1), count + 1))
        for event in told:
            assert TRANSITIONS.get((event.before, event.what)) == event.after, event
        befores = [*(event.before for event in told), row["state"]]
        assert befores[1:] == [event.after for event in told]
        if count <= KEPT:
            assert befores[0] is None
            assert int(row["leases"]) == sum(event.after == "queued" for event in told)
            lost = ("rescue a lost job", "rescue when the lease ran out", "rescue again")
            assert int(row.get("rescued", 0)) == sum(event.what in lost for event in told)

    async def jobs(self) -> list[str]:
        """What waits in arq's queue."""
        return [job.decode() for job in await self.call("ZRANGE", QUEUE, 0, -1)]

    async def claim(self, number: int | None = None) -> int:
        """arq's part: a worker picks the job up. Answers its lease number."""
        number = int((await self.row())["leases"]) if number is None else number
        await self.call("PSETEX", f"arq:in-progress:{self.keys.tag}:{number}", HOUR, 1)
        return number

    async def drop(self, number: int) -> None:
        """arq's part: the job has ended, and arq forgets it."""
        job = f"{self.keys.tag}:{number}"
        await self.call("ZREM", QUEUE, job)
        await self.call("DEL", f"arq:job:{job}", f"arq:in-progress:{job}", f"arq:retry:{job}")

    async def lease(self, fence: str | None = None, seconds: float = LEASE) -> Hand:
        """A worker picks the job up and leases the slice."""
        number, fence = await self.claim(), fence or new_fence()
        leased = await self.scripts.lease(self.keys, number, fence, seconds, "worker")
        assert leased is not None
        return Hand(leased.fence, leased.checkpoint, self.source)

    async def send(self, hand: Hand, part: Part, seconds: float = LEASE) -> Committed:
        """These bytes, whatever has become of the hand's checkpoint meanwhile."""
        return await self.scripts.commit(self.keys, part, hand.fence, seconds, "worker")

    async def commit(self, hand: Hand, ending: Ending = "", most: int = 500) -> Committed:
        """The hand's next commit; its checkpoint moves when Redis says so."""
        part = hand.part(ending, most)
        committed = await self.send(hand, part)
        if committed.answer == "committed":
            hand.checkpoint = replace(part.after, documents=committed.documents)
        return committed

    async def finish(self, hand: Hand) -> None:
        """All the pages that are left."""
        while (await self.commit(hand)).state == "running":
            pass

    async def dump(self) -> dict[bytes, bytes]:
        """All that is in Redis."""
        return {name: await self.call("DUMP", name) for name in await self.call("KEYS", "*")}

    async def restore(self, snapshot: dict[bytes, bytes]) -> None:
        """Redis goes back to an earlier state, and nobody is told."""
        await self.call("FLUSHALL")
        for name, value in snapshot.items():
            await self.call("RESTORE", name, HOUR if name.startswith((b"arq:job", b"arq:in")) else 0, value)

    async def run_out(self) -> None:
        """The lease, the snooze or the grace ended a while ago."""
        await self.call("HSET", self.keys.slice, "until", 1)
        await self.call("ZADD", DUE, "XX", 1, self.keys.tag)


@asynccontextmanager
async def case(url: str, *sizes: int, patience: float = 5.0) -> AsyncGenerator[Case]:
    """A crawl that is still to be enqueued, of pages with so many documents."""
    redis = open_redis(url)
    try:
        yield Case(redis, Scripts(redis, patience), source(*sizes))
    finally:
        await redis.aclose(close_connection_pool=True)


async def calls(c: Case, command: str) -> int:
    """How often Redis was asked this since CONFIG RESETSTAT, whatever it answered."""
    stats = await c.redis.info("commandstats")
    found = stats.get(f"cmdstat_{command}", {})
    return int(found.get("calls", 0)) + int(found.get("rejected_calls", 0))


async def wait_until(fact: Callable[[], Awaitable[bool]], seconds: float = 5.0) -> None:
    """Ask until it is so."""
    async with asyncio.timeout(seconds):
        while not await fact():
            pass


@asynccontextmanager
async def while_running(work: Coroutine[Any, Any, T]) -> AsyncGenerator[asyncio.Task[T]]:
    """As a task that does not outlive the block."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})
