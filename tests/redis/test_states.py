"""The states, three times: as drawn in docs/states.md, as told by states.py, and as the real scripts make them."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import combinations_with_replacement
from pathlib import Path

import pytest
from msgspec.structs import replace
from redis import Redis

from pagefleet.keys import QUEUE
from pagefleet.page import Checkpoint
from pagefleet.scripts import Ending, Split, Verb
from pagefleet.states import TRANSITIONS, State, combined
from tests.redis.actors import LEASE, Case, Hand, case
from tests.redis.remains import check_keys

PAGE = (Path(__file__).parents[2] / "docs" / "states.md").read_text()
Edge = tuple[State | None, str, State]
TOLD: set[Edge] = {(before, happening, after) for (before, happening), after in TRANSITIONS.items()}


def drawn(number: int) -> tuple[set[Edge], set[State]]:
    """The edges of a picture, and the states that end in it."""
    picture = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", PAGE, re.DOTALL)[number]
    edges: set[Edge] = set()
    ends: set[State] = set()
    for line in picture.strip().splitlines():
        arrow, _, happenings = line.strip().partition(": ")
        before, after = arrow.split(" --> ")
        if after == "[*]":
            ends.add(State(before))
        else:
            start = None if before == "[*]" else State(before)
            edges |= {(start, happening, State(after)) for happening in happenings.split(", ")}
    return edges, ends


# As drawn


def test_the_picture_of_a_slice_is_what_the_code_says() -> None:
    edges, ends = drawn(0)
    assert edges == TOLD
    assert ends == set(State) - {before for before, _ in TRANSITIONS}


def test_the_table_has_a_line_for_each_transition() -> None:
    _header, *lines = re.findall(r"^\| (\w*) ?\| ([^|]+) \| (\w+) \| [^|]+ \|$", PAGE, re.MULTILINE)
    assert len(lines) == len(TOLD)
    assert {(State(a) if a else None, happening, State(b)) for a, happening, b in lines} == TOLD


def test_the_picture_of_a_crawl_is_what_two_slices_can_make_of_it() -> None:
    edges: set[Edge] = {(None, "enqueue", State.QUEUED)}
    for before, happening, after in TOLD:
        for others in [*combinations_with_replacement(State, 1), *combinations_with_replacement(State, 2)]:
            if before is not None:
                children = [State.QUEUED] if happening == "split" else []
                edges.add((combined([before, *others]), happening, combined([after, *others, *children])))
    assert drawn(1) == ({edge for edge in edges if edge[0] is not edge[2]}, set())


def test_a_crawl_of_one_slice_is_in_its_state() -> None:
    assert [combined([state]) for state in State] == list(State)
    order = re.search(r"in this order: ([a-z, \n]+)\.", PAGE)
    assert order is not None
    assert re.split(r",\s+", order[1]) == [state.value for state in State]


# As the scripts make them


@dataclass
class Play:
    """A slice and its latest worker, which nobody tells that it has the slice no more."""

    case: Case
    hand: Hand

    async def lease(self, number: int = 0) -> None:
        """With the latest number, or with another."""
        number = number or int((await self.case.row()).get("leases", 0))
        fence = f"{number:016x} of this play"
        leased = await self.case.scripts.lease(self.case.keys, number, fence, LEASE, "worker")
        if leased:
            self.hand = Hand(leased.fence, leased.checkpoint, self.case.source)

    async def commit(self, ending: Ending = "") -> None:
        part = replace(self.hand.part(), ending=ending)
        if (await self.case.send(self.hand, part)).answer == "committed":
            self.hand.checkpoint = part.after

    async def commit_and_yield(self) -> None:
        await self.case.call("ZADD", QUEUE, 1, "another:0:1")
        await self.commit("yield")
        await self.case.call("ZREM", QUEUE, "another:0:1")

    async def split(self) -> None:
        split = Split(f"{self.hand.fence[:16]}-split", self.hand.checkpoint, ["a", "b"])
        await self.case.scripts.split(self.case.keys, split, self.hand.fence, "worker")

    async def release(self, state: str) -> None:
        await self.case.scripts.release(self.case.keys, self.hand.fence, state, 60.0, "why")

    async def rescue(self, *states: str, after: int = 0) -> None:
        """After the time of a slice in one of these states has come, and so many rescues in a row."""
        c = self.case
        if await c.state() in states:
            await c.call("DEL", QUEUE)
            await c.call("HSET", c.keys.slice, "until", 1, "rescues", after)
        await c.scripts.rescue(c.keys)

    async def as_another(self, act: Callable[["Play"], Awaitable[object]]) -> None:
        await act(Play(self.case, Hand("another", self.hand.checkpoint, self.case.source)))

    async def steer(self, verb: Verb) -> None:
        await self.case.scripts.steer(self.case.keys, verb)

    async def replay(self) -> None:
        """Of a slice with something in quarantine."""
        if await self.case.state():
            await self.case.call("XADD", self.case.keys.quarantine, "*", "cursor", '{"a":1}', "reason", "why")
        await self.steer("replay")


HAPPENINGS: dict[str, Callable[[Play], Awaitable[object]]] = {
    "enqueue": lambda play: play.case.scripts.enqueue(play.case.keys, "{}", "fingerprint", 0),
    "lease": lambda play: play.lease(),
    "renew": lambda play: play.case.scripts.renew(play.case.keys, play.hand.fence, LEASE),
    "commit": lambda play: play.commit(),
    "commit and yield": lambda play: play.commit_and_yield(),
    "commit the last page": lambda play: play.commit("last"),
    "split": lambda play: play.split(),
    "release": lambda play: play.release("queued"),
    "release to snooze": lambda play: play.release("snoozed"),
    "release as failed": lambda play: play.release("failed"),
    "rescue a lost job": lambda play: play.rescue("queued"),
    "rescue when the lease ran out": lambda play: play.rescue("running"),
    "rescue again": lambda play: play.rescue("queued", "running", after=1),
    "rescue once too often": lambda play: play.rescue("queued", "running", after=10),
    "rescue when due": lambda play: play.rescue("snoozed"),
    "pause": lambda play: play.steer("pause"),
    "resume": lambda play: play.steer("resume"),
    "cancel": lambda play: play.steer("cancel"),
    "replay": lambda play: play.replay(),
}
NOTHINGS: dict[str, Callable[[Play], Awaitable[object]]] = {
    "lease with another number": lambda play: play.lease(99),
    "commit as another": lambda play: play.as_another(Play.commit),
    "commit the last page as another": lambda play: play.as_another(lambda other: other.commit("last")),
    "split as another": lambda play: play.as_another(Play.split),
    "commit another page": lambda play: play.case.send(play.hand, replace(play.hand.part(), before=Checkpoint(7))),
    "renew as another": lambda play: play.case.scripts.renew(play.case.keys, "another", LEASE),
    "release as another": lambda play: play.as_another(lambda other: other.release("failed")),
    "rescue too early": lambda play: play.rescue(),
    "replay of nothing": lambda play: play.steer("replay"),
    "acknowledge": lambda play: play.case.scripts.acknowledge(play.case.keys, "consumer", "1-0"),
}
"""What changes no state whatever."""


def routes() -> dict[Edge, list[str]]:
    """For each edge what has to happen, from nothing on, to go along it; the shortest way."""
    ways: dict[State | None, list[str]] = {None: []}
    while len(ways) <= len(State):
        for before, happening, after in sorted(TOLD, key=str):
            if before in ways and after not in ways:
                ways[after] = [*ways[before], happening]
    return {edge: [*ways[edge[0]], edge[1]] for edge in sorted(TOLD, key=str)}


ROUTES = [[], *routes().values()]


def test_everything_that_can_happen_is_tried() -> None:
    assert HAPPENINGS.keys() == {happening for _, happening in TRANSITIONS}
    assert {route[-1] for route in ROUTES if route} == HAPPENINGS.keys()


def edge_of(before: State | None, happening: str) -> list[Edge]:
    """What is told of it: nothing where no state changes, and nothing of pages and signs of life."""
    after = TRANSITIONS.get((before, happening))
    return [] if after is None or happening in ("commit", "renew") else [(before, happening, after)]


@pytest.mark.invariant("O-4")
@pytest.mark.parametrize("route", ROUTES, ids=" then ".join)
async def test_a_slice_moves_as_told_and_not_otherwise(redis_url: str, route: list[str]) -> None:
    async with case(redis_url, *[1] * 9) as c:
        with Redis.from_url(redis_url) as redis:
            for happening, act in (HAPPENINGS | NOTHINGS).items():
                await c.call("FLUSHALL")
                play = Play(c, Hand("nobody", Checkpoint(), c.source))
                state: State | None = None
                told: list[Edge] = []
                for step in route:
                    told += edge_of(state, step)
                    state = TRANSITIONS[state, step]
                    await HAPPENINGS[step](play)
                    assert await c.state() == state
                await act(play)
                told += edge_of(state, happening)
                assert await c.state() == TRANSITIONS.get((state, happening), state), happening
                assert [(event.before, event.what, event.after) for event in await c.events()] == told
                check_keys(redis)
