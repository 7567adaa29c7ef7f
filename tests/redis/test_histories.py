"""Random histories of one slice: two workers that may be zombies, replies and requests that get lost or come late,
rescues, also too many in a row, steering, readers, torn writes, and a Redis that goes back to an earlier state.

Whatever happens, the results stream is the unbroken chain of the source's pages up to the checkpoint, each page once
and in order, less what every consumer has acknowledged, and the events are the unbroken chain of states that led there.
And when the faults end, the crawl ends, and an audit agrees.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace
from redis import Redis as SyncRedis
from redis.exceptions import ResponseError

from pagefleet.audit import audit
from pagefleet.connection import open_redis
from pagefleet.fleet import Fleet
from pagefleet.keys import DUE, QUEUE
from pagefleet.scripts import Committed, Ending, Part, Scripts
from pagefleet.states import State
from tests.redis.actors import Case, Hand, place, source
from tests.redis.remains import check_keys

T = TypeVar("T")
SIZES = (2, 0, 5, 1, 3, 2)
BACKLOG = 4
PART = 2
"""Documents of a commit: the pages of five and three go in parts."""
WORKERS = st.integers(0, 1)
ENDINGS = st.sampled_from(["", "yield"])
TIMES = st.integers(1, 2)
"""How often the same call is made; the second time for a reply that was lost."""
AGES = 3600.0
"""A lease, and a snooze: no time passes but by a rule, however busy the machine is."""
TORN = b"torn"
SETTINGS = settings(
    max_examples=30,
    stateful_step_count=40,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@dataclass
class Sent:
    """A commit that was sent, and may come again at any time."""

    fence: str
    part: Part


class History(RuleBasedStateMachine):
    """A slice, and what may happen to it."""

    url: str

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.hands: list[Hand | None] = [None, None]
        self.sent: list[Sent] = []
        self.asked: list[tuple[int, str]] = []
        self.snapshots: list[dict[bytes, bytes]] = []
        self.fences = 0
        self.seen = {"0-0"}
        self.acknowledged = {"one": (0, 0), "two": (0, 0)}
        self.c = self.runner.run(self._open())

    async def _open(self) -> Case:
        redis = open_redis(self.url)
        return Case(redis, Scripts(redis, 5.0), source(*SIZES))

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """In the loop of this history."""

        async def step() -> T:
            return await work()

        return self.runner.run(step())

    def twice(self, work: Callable[[], Awaitable[T]], times: int) -> T:
        """The same call again, for its reply was lost; only the last one is heard."""
        for _ in range(times - 1):
            self.run(work)
        return self.run(work)

    @property
    def row(self) -> dict[str, str]:
        return self.run(self.c.row)

    @initialize(times=TIMES)
    def enqueue(self, times: int) -> None:
        self.run(lambda: self.c.call("FLUSHALL"))
        self.twice(lambda: self.c.scripts.enqueue(self.c.keys, "{}", "fingerprint", BACKLOG), times)
        for consumer in self.acknowledged:
            self.run(partial(self.c.scripts.acknowledge, self.c.keys, consumer, "0-0"))

    # Workers

    @rule(worker=WORKERS, times=TIMES, behind=st.sampled_from([0, 0, 0, 1, 2]), is_claimed=st.booleans())
    def lease(self, worker: int, times: int, behind: int, is_claimed: bool) -> None:
        """With the latest job, or with one that comes late."""
        number = int(self.row["leases"]) - behind
        if is_claimed:
            self.run(lambda: self.c.claim(number))
        self.fences += 1
        fence = f"{self.fences:016x}{worker:016x}"
        self.asked.append((number, fence))
        leased = self.twice(lambda: self.c.scripts.lease(self.c.keys, number, fence, AGES, f"worker {worker}"), times)
        if leased is None:
            self.run(lambda: self.c.drop(number))
        else:
            self.hands[worker] = Hand(leased.fence, leased.checkpoint, self.c.source)

    @precondition(lambda self: any(self.hands))
    @rule(worker=WORKERS)
    def lease_sent_again(self, worker: int) -> None:
        """The worker had no answer in time: it asks with another fence, and the first request may still come."""
        hand = self.hands[worker]
        if hand is None or "." in hand.fence:
            return
        number = next(number for number, fence in self.asked if fence == hand.fence)
        again = f"{hand.fence}.1"
        leased = self.run(lambda: self.c.scripts.lease(self.c.keys, number, again, AGES, f"worker {worker}"))
        self.hands[worker] = Hand(again, leased.checkpoint, self.c.source) if leased else None

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def lease_arrives_late(self, data: st.DataObject) -> None:
        """Any request for a lease that was ever sent, when nobody waits for it any more."""
        number, fence = data.draw(st.sampled_from(self.asked))
        if fence not in {hand.fence for hand in self.hands if hand}:
            self.run(lambda: self.c.scripts.lease(self.c.keys, number, fence, AGES, "nobody"))
            self.run(lambda: self.c.drop(number))

    @rule(worker=WORKERS)
    def take_over(self, worker: int) -> None:
        """The lease runs out, a scheduler sees it, and a worker is at hand. Nobody tells the one that had it."""
        self.rescue(1, True)
        self.lease(worker, 1, 0, True)

    @precondition(lambda self: any(self.hands))
    @rule(worker=WORKERS, commits=st.integers(1, 4), times=TIMES, ending=ENDINGS, waits=st.booleans())
    def commit(self, worker: int, commits: int, times: int, ending: Ending, waits: bool) -> None:
        """The next parts; and with each answer what a worker does with it."""
        if waits:
            self.run(lambda: self.c.call("ZADD", QUEUE, 1, "another:0:1"))
        for _ in range(commits):
            hand = self.hands[worker]
            if hand is not None:
                sent = Sent(hand.fence, hand.part(ending, PART))
                self.sent.append(sent)
                self._hear(worker, hand, sent.part, self.twice(partial(self._send, sent), times))
        self.run(lambda: self.c.call("ZREM", QUEUE, "another:0:1"))

    async def _send(self, sent: Sent) -> Committed:
        state, position = await self.c.state(), await self.c.position()
        committed = await self.c.scripts.commit(self.c.keys, sent.part, sent.fence, AGES, "worker")
        assert state == "running" or await self.c.position() == position
        return committed

    def _hear(self, worker: int, hand: Hand, part: Part, committed: Committed) -> None:
        if committed.answer == "committed":
            hand.checkpoint = replace(part.after, documents=committed.documents)
            if committed.state != "running":
                self.hands[worker] = None
            return
        self.hands[worker] = None
        release = self.c.scripts.release
        if committed.answer == "full":
            self.run(lambda: release(self.c.keys, hand.fence, "snoozed", AGES, "backlog"))
        elif committed.answer != "fenced":
            self.run(lambda: release(self.c.keys, hand.fence, "queued"))

    @precondition(lambda self: any(self.hands))
    @rule(worker=WORKERS, ending=ENDINGS)
    def commit_on_its_way(self, worker: int, ending: Ending) -> None:
        """The worker is killed while its commit is still in some buffer."""
        hand = self.hands[worker]
        if hand is not None:
            self.sent.append(Sent(hand.fence, hand.part(ending, PART)))
            self.hands[worker] = None

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def commit_arrives_late(self, data: st.DataObject) -> None:
        """Any commit that was ever sent, also one from before Redis went back."""
        sent = data.draw(st.sampled_from(self.sent))
        self.run(lambda: self._send(sent))

    @precondition(lambda self: any(self.hands))
    @rule(worker=WORKERS, times=TIMES, state=st.sampled_from(["queued", "queued", "snoozed", "failed"]))
    def release(self, worker: int, times: int, state: str) -> None:
        hand = self.hands[worker]
        if hand is not None:
            self.twice(lambda: self.c.scripts.release(self.c.keys, hand.fence, state, AGES, "why"), times)
            self.hands[worker] = None

    @precondition(lambda self: any(self.hands))
    @rule(worker=WORKERS)
    def renew(self, worker: int) -> None:
        hand = self.hands[worker]
        if hand is not None:
            self.run(lambda: self.c.scripts.renew(self.c.keys, hand.fence, AGES))

    # Others

    @rule(times=TIMES, is_over=st.booleans())
    def rescue(self, times: int, is_over: bool) -> None:
        """Before the lease or the snooze is over, or after."""
        if is_over:
            self.run(self.c.run_out)
        self.twice(lambda: self.c.scripts.rescue(self.c.keys), times)

    @rule()
    def lose_jobs(self) -> None:
        self.run(lambda: self.c.call("DEL", QUEUE))

    @precondition(lambda self: len(self.sent) > 3)
    @rule(times=TIMES)
    def pause(self, times: int) -> None:
        self.twice(lambda: self.c.scripts.steer(self.c.keys, "pause"), times)

    @rule(times=TIMES)
    def resume(self, times: int) -> None:
        self.twice(lambda: self.c.scripts.steer(self.c.keys, "resume"), times)

    @precondition(lambda self: self.fences > 9)
    @rule()
    def cancel(self) -> None:
        self.run(lambda: self.c.scripts.steer(self.c.keys, "cancel"))

    @rule(consumer=st.sampled_from(["one", "two"]), data=st.data())
    def acknowledge(self, consumer: str, data: st.DataObject) -> None:
        """A document that was read at some time, perhaps before Redis went back, or in a torn write."""
        self.seen |= {entry for entry, _ in self.run(self.c.documents)}
        ahead = sorted((entry for entry in self.seen if place(entry) >= self.acknowledged[consumer]), key=place)
        document = data.draw(st.sampled_from(ahead))
        self.acknowledged[consumer] = place(document)
        self.run(lambda: self.c.scripts.acknowledge(self.c.keys, consumer, document))

    # Redis

    @rule()
    def remember(self) -> None:
        """A state that Redis may go back to: what its file holds, or its replica."""
        self.snapshots.append(self.run(self.c.dump))

    @precondition(lambda self: any(self.hands))
    @rule(worker=WORKERS, commits=st.integers(1, 3))
    def commit_and_forget(self, worker: int, commits: int) -> None:
        """The worker has heard that it is committed, and then Redis goes back."""
        snapshot = self.run(self.c.dump)
        self.commit(worker, commits, 1, "", False)
        self.run(lambda: self.c.restore(snapshot))

    @precondition(lambda self: self.snapshots)
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        """Redis goes back, and nobody is told."""
        snapshot = data.draw(st.sampled_from(self.snapshots))
        self.run(lambda: self.c.restore(snapshot))

    @rule(index=st.integers(0, 3), more=st.integers(1, 3))
    def tear(self, index: int, more: int) -> None:
        """A write is torn: documents behind the checkpoint, which has not moved."""
        row = self.row
        if not State(row["state"]).is_over:
            first = int(row["index"]) + index
            self.run(lambda: self._leave(int(row["page"]), range(first, first + more)))

    async def _leave(self, page: int, indices: range) -> None:
        for index in indices:
            with suppress(ResponseError):  # torn entries are there already, and this one would not stand behind them
                await self.c.call("XADD", self.c.keys.documents, f"{page}-{index}", "d", TORN)

    # What always holds

    @invariant()
    def the_stream_is_the_chain(self) -> None:
        row, entries, position = self.row, self.run(self.c.documents), self.run(self.c.position)
        chain, trimmed = self.c.source.chain(*position), place(row.get("trimmed", "0-0"))
        whole = [entry for entry in entries if place(entry[0]) < position]
        assert [entry for entry in whole if place(entry[0]) > trimmed] == [e for e in chain if place(e[0]) > trimmed]
        assert [entry for entry in chain if entry in whole] == whole
        assert {document for _, document in entries[len(whole) :]} <= {TORN}
        assert (int(row["documents"]), int(row["pages"])) == (len(chain), position[0] - 1)
        assert len(whole) < BACKLOG + PART
        assert trimmed <= min(self.acknowledged.values())

    @invariant()
    def whoever_has_the_slice_is_known(self) -> None:
        row = self.row
        state = State(row["state"])
        assert not row["fence"] or state in (State.RUNNING, State.PAUSED, State.CANCELLED)
        assert row["fence"] or state is not State.RUNNING
        if state is State.FINISHED:
            assert self.run(self.c.position) == (len(SIZES) + 1, 0)
            assert self.run(self.c.documents)[-1:] == self.c.source.whole()[-1:] or "trimmed" in row
        is_due = self.run(lambda: self.c.call("ZSCORE", DUE, self.c.keys.tag)) is not None
        assert is_due == (state in (State.QUEUED, State.RUNNING, State.SNOOZED))

    @invariant()
    def what_moved_the_slice_is_told(self) -> None:
        self.run(self.c.check_events)

    # And in the end

    def teardown(self) -> None:
        try:
            if self.row:
                self.run(self._heal)
        finally:
            self.run(lambda: self.c.redis.aclose(close_connection_pool=True))
            self.runner.close()

    async def _heal(self) -> None:
        """No more faults: somebody resumes it, a scheduler rescues, a worker works, and the consumers read."""
        for _ in range(20):
            state = State((await self.c.row())["state"])
            if state in (State.FINISHED, State.CANCELLED):
                break
            if state in (State.PAUSED, State.FAILED):
                await self.c.scripts.steer(self.c.keys, "resume")
            await self._work()
        else:
            raise AssertionError("it does not end")
        if state is State.FINISHED:
            entries, trimmed = await self.c.documents(), place((await self.c.row()).get("trimmed", "0-0"))
            unread = [entry for entry in self.c.source.whole() if place(entry[0]) > trimmed]
            assert [entry for entry in entries if place(entry[0]) > trimmed] == unread
            async with Fleet(self.url) as fleet:
                assert (await audit(fleet, self.c.keys.crawl)).findings == ()
        with SyncRedis.from_url(self.url) as redis:
            check_keys(redis)

    async def _work(self) -> None:
        c = self.c
        for consumer in self.acknowledged:
            last = (await c.documents() or [("0-0", b"")])[-1][0]
            await c.scripts.acknowledge(c.keys, consumer, max(last, "0-0", key=place))
        await c.run_out()
        await c.scripts.rescue(c.keys)
        if await c.state() == "queued" and await c.jobs():
            self.fences += 1
            hand = await c.lease(f"{self.fences:016x} heals")
            while (committed := await c.commit(hand, most=PART)).state == "running" and committed.answer == "committed":
                pass
            if committed.answer == "full":
                await c.scripts.release(c.keys, hand.fence, "snoozed", AGES, "backlog")


@pytest.mark.invariant("C-1", "C-2", "C-3", "C-4", "C-16", "L-1", "O-4")
@pytest.mark.timeout(600)  # to find a short history takes longer than to find one
def test_random_histories(redis_url: str) -> None:
    class Here(History):
        url = redis_url

    run_state_machine_as_test(Here, settings=SETTINGS)
