"""What goes wrong around a crawl, as scenarios: each is played with given scripts and answers what is wrong in the end.

`test_mutants.py` plays them with the shipped scripts, where nothing is, and with scripts that lack a guard.
"""

import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace

from msgspec import structs
from redis.exceptions import ResponseError

from pagefleet import keys as key
from pagefleet.keys import SliceKeys
from pagefleet.scripts import Split
from tests.redis.actors import LEASE, Case, Hand, Source, new_fence, place


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
        return Hand(leased.fence, leased.checkpoint, pages)

    async def heal(self, pages: Source) -> None:
        """No more faults: rescue and work, until it is over or nothing helps."""
        for _ in range(6):
            if await self.case.state() in ("finished", "cancelled"):
                return
            while await self.case.state() != "queued":
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


async def stuck_lease(scene: Scene) -> str:
    """A worker's request for a lease gets stuck and is sent again. It arrives when Redis has forgotten that lease, and
    others have delivered the page before; then the worker, which knows of nothing, sends its page."""
    c = scene.case
    await c.enqueue()
    forgotten = await c.dump()
    first = await scene.take(FIVE)
    await c.commit(first)
    await c.scripts.release(c.keys, first.fence, "queued")
    stuck = new_fence()
    leased = await c.scripts.lease(c.keys, 2, f"{stuck}.1", LEASE, "worker")  # as it is sent the second time
    assert leased is not None
    await c.restore(forgotten)
    other = await scene.take(SIX)
    await c.commit(other)
    await c.scripts.release(c.keys, other.fence, "queued")
    await c.scripts.lease(c.keys, 2, stuck, LEASE, "worker")
    await c.commit(Hand(leased.fence, leased.checkpoint, FIVE))
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
            hand.checkpoint = structs.replace(part.after, documents=committed.documents)
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


async def deadly_page(scene: Scene) -> str:
    """Whoever asks for the second page dies of it."""
    c = scene.case
    await c.enqueue()
    await c.commit(await scene.take(c.source))
    for times in range(1, 16):
        await c.run_out()
        await c.scripts.rescue(c.keys)
        if await c.state() == "failed":
            error = (await c.row())["error"]
            return "" if times == 11 and "page 2 " in error else f"failed after {times} rescues: {error}"
        if await c.state() == "snoozed":
            await c.run_out()
            await c.scripts.rescue(c.keys)
        elif times > 1:
            return f"rescued {times} times without a rest"
        await scene.take(c.source)
    return "rescued for ever"


async def unlucky_workers(scene: Scene) -> str:
    """Workers die, but each has committed a page before; and somebody resumes what has failed."""
    c = scene.case
    await c.enqueue()
    for _ in c.source.pages[:-1]:
        await c.commit(await scene.take(c.source))
        await c.call("HSET", c.keys.slice, "until", 1)
        await c.scripts.rescue(c.keys)
        if await c.state() != "queued":
            return f"{await c.state()} in spite of a commit"
    await scene.take(c.source)
    await c.call("HSET", c.keys.slice, "until", 1, "rescues", 10)
    await c.scripts.rescue(c.keys)
    await c.scripts.steer(c.keys, "resume")
    await scene.take(c.source)
    await c.run_out()
    await c.scripts.rescue(c.keys)
    return "" if await c.state() == "queued" else f"{await c.state()} in spite of a resume"


# A slice that is split. The source is twelve documents, and bounds are ranges of them.


async def torn_split(scene: Scene) -> str:
    """The plan and the first child were written, and the rest was not; that child has been walked, when another worker
    splits the slice again, and by now the source declares more."""
    c = scene.case
    await c.enqueue()
    hand = await scene.take(c.source)
    row = await c.call("DUMP", c.keys.slice)
    await split(c, hand, [[0, 5], [5, 12]])
    plan = await c.call("HGET", c.keys.slice, "plan")
    await c.call("RESTORE", c.keys.slice, 0, row, "REPLACE")
    await c.call("HSET", c.keys.slice, "plan", plan)
    await c.call("DEL", key.slices(c.keys.crawl), SliceKeys(c.keys.crawl, "0.1").slice)
    await walk(scene, "0.0")
    await split(c, hand, [[0, 4], [4, 8], [8, 12]])
    return await union(scene)


async def error_in_a_split(scene: Scene) -> str:
    """The second child cannot be written at first, for there is something else in its place."""
    c = scene.case
    await c.enqueue()
    hand = await scene.take(c.source)
    second = SliceKeys(c.keys.crawl, "0.1").slice
    await c.call("SET", second, "no hash")
    with suppress(ResponseError):
        await split(c, hand, [[0, 5], [5, 12]])
    await c.call("DEL", second)
    await split(c, hand, [[0, 5], [5, 12]])
    return await union(scene)


async def split(c: Case, hand: Hand, parts: list[list[int]]) -> None:
    """As a worker does it: by the plan that is there, if there is one."""
    answer, plan = await c.scripts.split(
        c.keys, Split(f"{hand.fence[:16]}-split", hand.checkpoint, parts), hand.fence, "worker"
    )
    if answer == "other":
        await split(c, hand, plan)


async def walk(scene: Scene, number: str) -> None:
    """A child, if it is there and nobody has walked it."""
    there = replace(scene, case=replace(scene.case, keys=SliceKeys(scene.case.keys.crawl, number)))
    row = await there.case.row()
    if row.get("state") == "queued":
        first, behind = json.loads(row["bounds"])
        hand = await there.take(Source([[str(n).encode() for n in range(first, behind)]]))
        await there.case.commit(hand)


async def union(scene: Scene) -> str:
    """Walks the children, and answers what is wrong with the sum of them; nothing, if the words are none."""
    found: Counter[bytes] = Counter()
    for n in range(int((await scene.case.row())["split"])):
        await walk(scene, f"0.{n}")
        child = replace(scene.case, keys=SliceKeys(scene.case.keys.crawl, f"0.{n}"))
        found.update(document for _, document in await child.documents())
    lost = {str(n).encode() for n in range(12)} - found.keys()
    more = sorted(document for document, times in found.items() if times > 1)
    return f"lost {sorted(lost)}; more than once {more}" if lost or more else ""
