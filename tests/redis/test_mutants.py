"""Every guard has a mutant that must be caught: what the shipped scripts do right, the same scripts less one guard do
wrong, in the very same scenario. A mutant that is not caught, or that changes no text, fails here.

Which guard is for what, and what each one cannot do alone, was found by a model checker and by chaos: reliability.md,
3.2 and 3.3. The fence and the position stand in for each other as long as the source does not change; so those
scenarios let a document appear at the front of a source that is paged through by offset.
"""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from pagefleet.scripts import Scripts, source
from tests.redis.actors import LEASE, Case, Hand, Source, case, new_fence, place

Edit = tuple[str, str]
"""(what is there, what stands in its place)."""


@dataclass(frozen=True)
class Mutant:
    """Scripts with parts replaced: script name -> edits."""

    edits: Mapping[str, list[Edit]]

    def text(self, name: str) -> str:
        """Each edit must find its part exactly once: a script that is rewritten needs its mutants rewritten."""
        text = source(name)
        for there, instead in self.edits[name]:
            assert text.count(there) == 1, f"{name} has not exactly one {there!r}"
            assert there != instead
            text = text.replace(there, instead)
        return text


class Mutated(Scripts):
    """The real client with other texts."""

    def __init__(self, redis: Redis, mutant: Mutant) -> None:
        super().__init__(redis, 5.0)
        for name in mutant.edits:
            self._scripts[name] = redis.register_script(mutant.text(name))


@dataclass(frozen=True)
class Scene:
    """A crawl, by the shipped scripts or by a mutant's."""

    case: Case
    has_numbers: bool
    """The fence is the lease number."""

    async def take(self, pages: Source) -> Hand:
        """A worker leases; it sees the source as it is now."""
        number = await self.case.claim()
        fence = str(number) if self.has_numbers else new_fence()
        leased = await self.case.scripts.lease(self.case.keys, number, fence, LEASE, "worker")
        assert leased is not None
        return Hand(fence, leased, pages)

    async def heal(self, pages: Source) -> None:
        """No more faults: rescue and work, until it is over or nothing helps."""
        for _ in range(6):
            if await self.case.state() in ("finished", "cancelled"):
                return
            await self.case.run_out()
            await self.case.scripts.rescue(self.case.keys)
            hand = await self.take(pages)
            with suppress(ResponseError):
                while (await self.case.commit(hand)).answer == "committed" and await self.case.state() == "running":
                    pass

    async def judge(self, expected: Source) -> str:
        """What is wrong: nothing, if the words are none."""
        delivered = [document for _, document in await self.case.documents()]
        lost = Counter(document for _, document in expected.whole()) - Counter(delivered)
        more = {document: times for document, times in Counter(delivered).items() if times > 1 or document == TORN}
        words = [f"lost {sorted(lost)}"] if lost else []
        words += [f"more than once {sorted(more)}"] if more else []
        row = await self.case.row()
        words += [] if row["state"] == "finished" else [f"never ends, {row['state']} at page {row['page']}"]
        words += [] if int(row["documents"]) == len(delivered) else [f"counts {row['documents']} for {len(delivered)}"]
        return "; ".join(words)


TORN = b"torn"
FIVE = Source([[b"a", b"b"], [b"c", b"d"], [b"e"]])
SIX = Source([[b"new", b"a"], [b"b", b"c"], [b"d", b"e"]])
"""The same source later: the same cursors, for it is paged through by offset."""


# The scenarios. Each answers what is wrong in the end.


async def stale_worker(scene: Scene) -> str:
    """Redis forgets a lease; its worker, frozen meanwhile, sends one more page, and its successor is at that page."""
    c = scene.case
    await c.enqueue()
    forgotten = await c.dump()
    zombie = await scene.take(FIVE)
    await c.commit(zombie)
    await c.commit(zombie)
    await c.restore(forgotten)
    successor = await scene.take(SIX)
    await c.commit(successor)
    await c.commit(successor)
    await c.commit(zombie)
    await scene.heal(SIX)
    return await scene.judge(SIX)


async def worker_ahead(scene: Scene) -> str:
    """Redis forgets two pages, but not the lease; the worker goes on behind them."""
    c = scene.case
    await c.enqueue()
    hand = await scene.take(c.source)
    await c.commit(hand)
    forgotten = await c.dump()
    await c.commit(hand)
    await c.commit(hand)
    await c.restore(forgotten)
    await c.commit(hand)
    await scene.heal(c.source)
    return await scene.judge(c.source)


async def lost_replies(scene: Scene) -> str:
    """Each commit is sent twice, for its reply was lost; a worker gives back what it was not told to have."""
    c = scene.case
    await c.enqueue()
    for _ in range(20):
        hand = await scene.take(c.source)
        while await c.state() == "running":
            part = hand.part()
            await c.send(hand, part)
            committed = await c.send(hand, part)
            if committed.answer != "committed":
                break
            hand.checkpoint = replace(part.after, documents=committed.documents)
        if await c.state() == "finished":
            break
        await c.scripts.release(c.keys, hand.fence, "queued")
    leases = int((await c.row())["leases"])
    wrong = await scene.judge(c.source)
    return f"{leases} leases; {wrong}" if leases > 1 else wrong


async def error_between(scene: Scene) -> str:
    """The documents cannot be written at first, for there is something else in their place."""
    c = scene.case
    await c.enqueue()
    hand = await scene.take(c.source)
    part = hand.part()
    await c.call("SET", c.keys.documents, "no stream")
    with suppress(ResponseError):
        await c.send(hand, part)
    await c.call("DEL", c.keys.documents)
    await scene.heal(c.source)
    return await scene.judge(c.source)


async def torn_page(scene: Scene) -> str:
    """The documents of a page are there, and the checkpoint is not."""
    c = scene.case
    await c.enqueue()
    hand = await scene.take(c.source)
    await c.commit(hand)
    await c.call("XADD", c.keys.documents, "2-0", "d", TORN)
    await scene.heal(c.source)
    return await scene.judge(c.source)


async def torn_end(scene: Scene) -> str:
    """The same, and by now the source has nothing there any more."""
    c = scene.case
    await c.enqueue()
    ended = Source([*c.source.pages[:1], []])
    await c.commit(await scene.take(ended))
    await c.call("XADD", c.keys.documents, "2-0", "d", TORN)
    await scene.heal(ended)
    return await scene.judge(ended)


async def slow_reader(scene: Scene) -> str:
    """One consumer keeps up with the crawl, the other reads only when the stream is full."""
    c = scene.case
    await c.enqueue(backlog=2)
    await c.scripts.acknowledge(c.keys, "slow", "0-0")
    read: list[tuple[str, bytes]] = []
    hand = await scene.take(c.source)
    while await c.state() == "running":
        answer = (await c.commit(hand)).answer
        entries = await c.documents()
        await c.scripts.acknowledge(c.keys, "fast", entries[-1][0])
        if answer == "full" or await c.state() == "finished":
            done = place(read[-1][0]) if read else (0, 0)
            read += [entry for entry in entries if place(entry[0]) > done]
            await c.scripts.acknowledge(c.keys, "slow", read[-1][0])
    return "" if read == c.source.whole() else f"unread {len(c.source.whole()) - len(read)}"


async def cancelled(scene: Scene) -> str:
    """Somebody cancels the crawl; its worker has not heard of it."""
    c = scene.case
    await c.enqueue()
    hand = await scene.take(c.source)
    await c.commit(hand)
    await c.scripts.steer(c.keys, "cancel")
    await c.commit(hand)
    return "" if await c.is_whole() and (await c.position()) == (2, 0) else "delivered after the cancel"


async def paused(scene: Scene) -> str:
    """Somebody pauses the crawl; its worker gives it back."""
    c = scene.case
    await c.enqueue()
    hand = await scene.take(c.source)
    await c.scripts.steer(c.keys, "pause")
    await c.scripts.release(c.keys, hand.fence, "queued")
    return "" if await c.state() == "paused" else f"{await c.state()} after the pause"


async def long_queue(scene: Scene) -> str:
    """A job waits its turn for a long time, and a scheduler looks at it now and then."""
    c = scene.case
    await c.enqueue()
    for _ in range(5):
        await c.scripts.rescue(c.keys)
    leases = int((await c.row())["leases"])
    return "" if leases == 1 else f"{leases} jobs, each at the end of the queue"


async def clock_back(scene: Scene) -> str:
    """Redis' clock goes back by an hour, and a worker dies."""
    c = scene.case
    await c.enqueue()
    await scene.take(c.source)
    seconds, _ = await c.call("TIME")
    await c.call("HSET", c.keys.slice, "until", (int(seconds) + 3600) * 1000)
    answer = await c.scripts.rescue(c.keys)
    return "" if answer == "rescued" else f"{answer} for an hour"


# The mutants

FENCE = """if fence ~= ARGV[2] then
  return answer('fenced')
end
"""
POSITION = """if page ~= ARGV[4] or index ~= ARGV[5] or cursor ~= ARGV[6] then
  return answer('conflict')
end
"""
COMMIT_ID = """if last == ARGV[3] then
  return answer('committed') -- the reply was lost, and the same commit came again
end
"""
STATE = """if state ~= 'running' then
  return answer(state)
end
"""
TYPES = """for _, stream in ipairs({ documents, ledger }) do
  local kind = redis.call('TYPE', stream).ok
  if kind ~= 'stream' and kind ~= 'none' then
    return redis.error_reply('ERR ' .. stream .. ' is a ' .. kind .. ', not a stream')
  end
end
"""
LENGTH = "local length = redis.call('XLEN', documents)\n"
CURSOR = """\
redis.call('HSET', slice, 'page', ARGV[7], 'index', ARGV[8], 'cursor', ARGV[9], 'commit', ARGV[3], 'digest', ARGV[13],
  'until', now + ARGV[10], 'wait', ARGV[10], 'committed', now)
"""
CLEAR = "clear(documents, at_page, at_index)\n"
WAITING = "  if start and redis.call('EXISTS', 'arq:job:' .. job) == 1"
AHEAD = "  return now < moment and moment <= now + 2 * wait\n"
CLOSED = """if state ~= 'running' then
  return 'released' -- paused or cancelled while it ran
end
"""
LEAST = "if not is_gone and (not page or p < page or (p == page and i < index)) then"
NOTHING = ""

MUTANTS: dict[str, tuple[Mutant, Callable[[Scene], Awaitable[str]], str]] = {
    "no fence": (Mutant({"commit": [(FENCE, NOTHING)]}), stale_worker, r"lost \[b'd'\]"),
    "a number for a fence": (
        Mutant({"lease": [("fence ~= ARGV[3]", "fence ~= ARGV[2]"), ("'fence', ARGV[3]", "'fence', ARGV[2]")]}),
        stale_worker,
        r"lost \[b'd'\]",
    ),
    "no position": (Mutant({"commit": [(POSITION, NOTHING)]}), worker_ahead, r"lost \[.*\]"),
    "no commit id": (Mutant({"commit": [(COMMIT_ID, NOTHING)]}), lost_replies, r"\d leases; $"),
    "neither commit id nor position": (
        Mutant({"commit": [(COMMIT_ID, NOTHING), (POSITION, NOTHING)]}),
        lost_replies,
        r"counts \d+ for \d",
    ),
    "cursor before documents": (
        Mutant(
            {"commit": [(TYPES, NOTHING), (CURSOR, NOTHING), (LENGTH, "local length = 0\n"), (CLEAR, CURSOR + CLEAR)]}
        ),
        error_between,
        r"lost \[b'\{\"page\":1",
    ),
    "torn entries stay": (Mutant({"commit": [(CLEAR, NOTHING)]}), torn_page, r"lost .*never ends, \w+ at page 2"),
    "torn entries stay at the end": (Mutant({"commit": [(CLEAR, NOTHING)]}), torn_end, r"more than once \[b'torn'\]"),
    "trimming up to the first reader": (
        Mutant({"commit": [(LEAST, LEAST.replace("<", ">"))]}),
        slow_reader,
        r"unread \d",
    ),
    "no look at the state": (Mutant({"commit": [(STATE, NOTHING)]}), cancelled, "delivered after the cancel"),
    "release whatever the state": (Mutant({"release": [(CLOSED, NOTHING)]}), paused, "queued after the pause"),
    "rescue what waits": (Mutant({"rescue": [(WAITING, WAITING.replace("start", "false"))]}), long_queue, "6 jobs"),
    "trust in the clock": (
        Mutant({"rescue": [(AHEAD, "  return now < moment\n")]}),
        clock_back,
        "leased for an hour",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
async def test_the_mutant_is_caught_and_the_shipped_scripts_pass(redis_url: str, name: str) -> None:
    mutant, scenario, symptom = MUTANTS[name]
    async with case(redis_url, 2, 2, 1, 2) as c:
        assert await scenario(Scene(c, has_numbers=False)) == ""
        await c.call("FLUSHALL")
        mutated = replace(c, scripts=Mutated(c.redis, mutant))
        assert re.search(symptom, await scenario(Scene(mutated, has_numbers="lease" in mutant.edits)))
        await c.call("FLUSHALL")
