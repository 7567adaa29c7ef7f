"""The protocol keeps its promise in every state that a few faults can lead to; each guard has a mutant that does not.

`python -m tests.model` looks further; its figures are in docs/reliability.md.
"""

from dataclasses import replace
from functools import cache

import pytest

from tests.model import search as searching
from tests.model.protocol import Guards
from tests.model.world import World

search = cache(searching.search)

SHIPPED = {
    "any two faults": World(),
    "any two faults, three workers": World(pages=2, workers=3),
    "any fault, four pages": World(pages=4, faults=1),
    "any three faults": World(pages=2, faults=3, yields=False),
    "a late request, an older Redis, a newer source": World(pages=2, faults=3, most=(0, 1, 0, 0, 1, 1)),
    "frozen workers, and Redis goes back twice": World(pages=2, faults=3, most=(0, 0, 0, 1, 2, 1), is_torn=False),
}


@pytest.mark.invariant("C-1", "C-2", "C-3", "C-4", "C-5")
@pytest.mark.parametrize("world", SHIPPED.values(), ids=list(SHIPPED))
def test_the_shipped_protocol_is_safe_and_ends(world: World) -> None:
    found = search(world)
    assert (found.wrong, found.way) == ("", ())
    assert found.states > 1000  # it is looked at


BACK = World(pages=2, faults=2, most=(0, 0, 0, 0, 1, 1))
"""Redis goes back, and the source changes."""
LATE = World(pages=2, faults=3, most=(0, 1, 0, 0, 1, 1))
"""And a request comes late."""
ONE = World(pages=2, faults=1)
"""Any fault."""
MUTANTS: dict[str, tuple[World, Guards, str]] = {
    "a number that grows is the fence": (BACK, Guards(has_random_fence=False), "page 2 was fetched behind another"),
    "one fence for all requests for a lease": (
        LATE,
        Guards(has_fence_a_request=False),
        "page 2 was fetched behind another",
    ),
    "no fence is compared": (ONE, Guards(compares_fence=False), "Redis has forgotten nothing"),
    "no position is compared": (
        ONE,
        Guards(compares_page=False, compares_cursor=False),
        "the stream has the pages [2]",
    ),
    "the last commit is not known again": (ONE, Guards(knows_last_commit=False), "Redis has forgotten nothing"),
    "the checkpoint is written first": (ONE, Guards(is_documents_first=False), "the stream has the pages []"),
    "ids of Redis' own": (
        ONE,
        Guards(has_explicit_ids=False),
        "the stream has the pages [1], and",
    ),
    "ids of Redis' own, and whole scripts": (
        replace(ONE, is_torn=False),
        Guards(has_explicit_ids=False),
        "page 1 had the id 1, and now has 2",
    ),
    "a worker adopts Redis' position": (ONE, Guards(gives_up_on_conflict=False), "the stream has the pages [2]"),
    "leftovers stay": (ONE, Guards(clears_leftovers=False), "the end is out of reach"),
}


@pytest.mark.invariant("C-3")
@pytest.mark.parametrize("name", MUTANTS)
def test_without_a_guard_it_is_unsafe(name: str) -> None:
    world, guards, wrong = MUTANTS[name]
    assert search(world).wrong == ""
    found = search(replace(world, guards=guards))
    assert wrong in found.wrong
    assert found.way


@pytest.mark.parametrize(
    "weak",
    [Guards(has_random_fence=False), Guards(has_fence_a_request=False)],
    ids=["a number", "one for all requests"],
)
def test_a_cursor_that_tells_is_a_second_witness(weak: Guards) -> None:
    """With the shipped fence nothing hangs on it. With a weaker one all does, and it helps if cursors tell versions."""
    world = replace(LATE, has_opaque_cursors=True)
    assert search(replace(world, guards=weak)).wrong == ""
    assert "behind another page" in search(replace(world, guards=replace(weak, compares_cursor=False))).wrong
    assert "behind another page" in search(replace(world, has_opaque_cursors=False, guards=weak)).wrong


@pytest.mark.parametrize("one", [Guards(compares_cursor=False), Guards(compares_page=False)], ids=["page", "cursor"])
def test_page_number_and_cursor_stand_in_for_each_other(one: Guards) -> None:
    assert search(replace(ONE, guards=one)).wrong == ""
