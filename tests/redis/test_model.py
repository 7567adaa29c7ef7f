"""The model of the protocol does what the scripts do: random walks through it, played on a real Redis step by step."""

import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from pagefleet.keys import DUE, QUEUE
from pagefleet.page import Checkpoint, encode
from pagefleet.scripts import Part
from tests.model.protocol import NOBODY, Fence, Message, Page, Redis
from tests.model.world import KINDS, Move, State, World, moves, start
from tests.redis.actors import Case, case

WALKS, STEPS = 40, 40
WORLD = World(faults=6, most=(2,) * KINDS, has_opaque_cursors=True)


def shown(fence: Fence) -> str:
    """As `Scripts.lease` sends it."""
    name, times = fence
    return "" if fence == NOBODY else f"{name:016x}" + (f".{times}" if times else "")


def body(page: Page) -> bytes:
    return b'{"page":%d,"version":%d}' % (page.number, page.version)


def cursor(number: int) -> str:
    return encode(number or None)


@dataclass
class Played:
    """The scripts, one step behind the model."""

    c: Case
    saved: dict[bytes, bytes] = field(default_factory=dict[bytes, bytes])

    async def step(self, before: State, move: Move) -> None:
        """What the move is in the real world."""
        if move.after.saved is not None and before.saved is None:
            self.saved = await self.c.dump()
            if ", torn" in move.what:
                await self._tear(move)
        redis, after = before.redis, move.after.redis
        match move.what.partition(",")[0]:
            case "take":
                await self.c.claim(redis.leases)
            case "lease" | "commit":
                assert isinstance(move.subject, Message)
                is_awaited = any(worker.sent == move.subject for worker in before.workers)
                await self._arrive(move.subject, is_heard=is_awaited and not move.what.endswith("unheard"))
            case "rescue":
                await self.c.call("HSET", self.c.keys.slice, "rescues", 0)  # how long it rests is not the model's
                await self.c.run_out()
                await self.c.scripts.rescue(self.c.keys)
                if await self.c.state() == "queued" and redis.leases == int((await self.c.row())["leases"]):
                    await self.c.run_out()  # the job was just taken, which is looked at twice
                    await self.c.scripts.rescue(self.c.keys)
            case "go back":
                await self.c.restore(self.saved)
            case _:
                assert redis == after

    async def _arrive(self, message: Message, *, is_heard: bool) -> None:
        """A worker that hears of a conflict releases the slice; in the model that is one step."""
        fence = shown(message.fence)
        if message.kind == "lease":
            await self.c.scripts.lease(self.c.keys, message.number, fence, 60.0, "worker")
            return
        if message.ending == "yield":
            await self.c.call("ZADD", QUEUE, 1, "another:0:1")
        committed = await self.c.scripts.commit(self.c.keys, part(message), fence, 60.0, "worker")
        await self.c.call("ZREM", QUEUE, "another:0:1")
        if is_heard and committed.answer == "conflict":
            await self.c.scripts.release(self.c.keys, fence, "queued")

    async def _tear(self, move: Move) -> None:
        """What Redis has in the middle of the commit that is still to come."""
        assert isinstance(move.subject, Message)
        whole, message = self.saved, move.subject
        await self._clear(message)
        await self.c.call("XADD", self.c.keys.documents, f"{message.number}-0", "d", body(message.page))
        self.saved = await self.c.dump()
        await self.c.restore(whole)

    async def _clear(self, message: Message) -> None:
        """The script's first write, where there are leftovers of another."""
        entries = await self.c.documents()
        if any(int(entry.partition("-")[0]) >= message.number for entry, _ in entries):
            await self.c.call("DEL", self.c.keys.documents)
            for entry, document in entries:
                if int(entry.partition("-")[0]) < message.number:
                    await self.c.call("XADD", self.c.keys.documents, entry, "d", document)

    async def compare(self, redis: Redis) -> None:
        """The row, the stream and arq's job are what the model says."""
        row, queue = await self.c.row(), await self.c.jobs()
        job = f"{self.c.keys.tag}:{row['leases']}"
        is_taken = await self.c.call("EXISTS", f"arq:in-progress:{job}")
        found = (row["state"], row["fence"], int(row["leases"]), job in queue and not is_taken)
        assert found == (redis.state, shown(redis.fence), redis.leases, redis.has_job)
        is_over = redis.state == "finished"
        assert (int(row["page"]), row["cursor"]) == (redis.page, "null" if is_over else cursor(redis.cursor))
        entries = [(f"{entry.id}-0", body(entry.page)) for entry in redis.stream]
        assert await self.c.documents() == entries
        assert (await self.c.call("ZSCORE", DUE, self.c.keys.tag) is None) == is_over


def part(message: Message) -> Part:
    is_last = message.ending == "last"
    return Part(
        commit=f"{shown(message.fence)}-{message.page.number}",
        before=Checkpoint(message.number, 0, message.cursor or None),
        after=Checkpoint(message.number + 1, 0, None if is_last else message.following),
        ending="last" if is_last else "yield" if message.ending else "",
        arguments=[body(message.page)],
        digest=f"{message.page.number} {message.page.version}",
    )


@pytest.mark.invariant("C-1", "C-2", "C-3")
async def test_random_walks_through_the_model_are_what_redis_does(redis_url: str) -> None:
    seen: set[str] = set()
    async with case(redis_url, *[1] * WORLD.pages) as c:
        for seed in range(WALKS):
            dice: Any = random.Random(seed)
            await c.call("FLUSHALL")
            await c.enqueue()
            state, played, way = start(WORLD), Played(c), [f"seed {seed}"]
            for _ in range(STEPS):
                can = list(moves(WORLD, state))
                if not can:
                    break
                move: Move = dice.choice(can)
                way.append(move.what)
                await played.step(state, move)
                state = move.after
                try:
                    await played.compare(state.redis)
                except AssertionError as error:
                    raise AssertionError(f"{'; '.join(way)}: {error}") from error
            seen |= set(way)
        await c.call("FLUSHALL")
    kinds = {what.partition(",")[0] for what in seen if not what.startswith("seed")}
    assert kinds >= {"take", "lease", "fetch", "commit", "rescue", "go back", "crash", "crash unsent", "send again"}
    assert any(", torn" in what for what in seen)
