"""A crawl in slices as one: counts, states and the verdict, from the rows of its slices."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import TypeAdapter

from pagefleet.slices import Slices
from pagefleet.status import Found, Status, Tree

RANGE: Slices = TypeAdapter(Slices).validate_python(
    {"by": "range", "from": 0, "to": 100, "params": {"a": "{from}", "b": "{to}"}, "most": 10}
)
PAGES: Slices = TypeAdapter(Slices).validate_python({"by": "pages", "pages": 5})
VALUES: Slices = TypeAdapter(Slices).validate_python({"by": "values", "param": "x", "values": ["a", "b", "c"]})


def row(state: str = "finished", documents: int = 0, **more: Any) -> Found:
    said = {"state": state, "documents": documents, "pages": 1, "bytes": 10 * documents, "cursor": "null", "leases": 1}
    fields = {**said, "enqueued": 1000, **more}
    return Found({name: str(value) for name, value in fields.items() if value is not None}, documents, 0)


def status(slices: Slices, rows: Mapping[str, Found], cap: int | None = None) -> Status:
    return Tree("x", slices, cap, rows).status()


def reasons(found: Status) -> list[str]:
    assert found.verdict is not None
    return [word for word, _ in found.verdict.reasons]


def whole(total: int | None = None, split: int = 2) -> Found:
    return row(total=total, split=split)


def bounds(start: int, end: int) -> str:
    return json.dumps([start, end])


@pytest.mark.parametrize(
    ("total", "first", "second", "expected"),
    [
        (15, (8, 8), (7, 7), []),
        (16, (8, 8), (7, 7), ["below-total"]),
        (14, (8, 8), (7, 7), ["above-total"]),
        (10, (8, 8), (7, 7), []),  # an API that counts no further than it lists
        (15, (8, 9), (7, 7), ["below-total"]),
        (17, (10, 10), (7, 7), ["at-cap"]),  # a range that could not be split any further
        (15, (8, None), (7, None), []),
    ],
)
def test_ranges_are_the_sum_of_their_parts(
    total: int, first: tuple[int, int | None], second: tuple[int, int | None], expected: list[str]
) -> None:
    rows = {
        "0": whole(total),
        "0.0": row(documents=first[0], total=first[1], bounds=bounds(0, 50)),
        "0.1": row(documents=second[0], total=second[1], bounds=bounds(50, 100)),
    }
    found = status(RANGE, rows)
    assert reasons(found) == expected
    assert (found.documents, found.pages, found.slices, found.slices_over) == (first[0] + second[0], 2, 2, 2)


def pages(first: int, behind: int, *, last: bool = False) -> dict[str, Any]:
    return {"first": first, "behind": behind, "of": 1, "last": last}


def test_pages_are_weighed_by_the_total_of_the_whole_alone() -> None:
    first, second = json.dumps(pages(0, 5)), json.dumps(pages(5, 9, last=True))
    rows = {
        "0": whole(9),
        "0.0": row(documents=5, total=9, bounds=first),
        "0.1": row(documents=4, total=9, bounds=second),
    }
    assert (reasons(status(PAGES, rows)), status(PAGES, rows).total) == ([], 9)
    tree = Tree("x", PAGES, None, rows)
    assert [(tree.title(number), tree.part(number).total) for number in tree.leaves] == [
        ("pages 1 to 5", 5),
        ("pages 6 to 9", 4),
    ]
    less = {**rows, "0.1": row(documents=3, total=9, bounds=second)}
    assert reasons(status(PAGES, less)) == ["below-total"]


def test_a_value_that_is_split_by_pages_is_weighed_by_its_own_total() -> None:
    rows = {
        "0": whole(split=3),
        "0.0": row(documents=5, total=5, bounds=bounds(0, 1)),
        "0.1": row(total=9, split=2, bounds=bounds(1, 2)),
        "0.1.0": row(documents=5, total=9, bounds=json.dumps([1, 2, pages(0, 5)])),
        "0.1.1": row(documents=4, total=9, bounds=json.dumps([1, 2, pages(5, 9, last=True)])),
        "0.2": row(documents=5, total=5, bounds=bounds(2, 3)),
    }
    found = status(VALUES, rows)
    assert (reasons(found), found.documents, found.total, found.slices) == ([], 19, 19, 4)
    tree = Tree("x", VALUES, None, rows)
    assert [tree.title(number) for number in tree.leaves] == ["x=a", "x=b, pages 1 to 5", "x=b, pages 6 to 9", "x=c"]
    assert [tree.part(number).total for number in tree.leaves] == [5, 5, 4, 5]
    less = status(VALUES, {**rows, "0.1.1": row(documents=3, bounds=json.dumps([1, 2, pages(5, 9, last=True)]))})
    assert less.verdict is not None
    assert less.verdict.reasons == (("below-total", "slice 0.1 (x=b): 8 documents, but the source declared 9"),)


def test_values_are_weighed_one_by_one_and_told_together() -> None:
    rows = {
        "0": whole(split=3),
        "0.0": row(documents=5, total=6, bounds=bounds(0, 1)),
        "0.1": row(documents=5, total=5, doubts=" overlap ", bounds=bounds(1, 2)),
        "0.2": row(documents=5, total=7, bounds=bounds(2, 3)),
    }
    found = status(VALUES, rows)
    assert found.verdict is not None
    assert found.verdict.finding == "truncated"
    assert [word for word, _ in found.verdict.reasons] == ["below-total", "overlap"]
    assert found.verdict.reasons[0][1] == "slice 0.0 (x=a): 5 documents, but the source declared 6 (and so in 1 more)"
    assert found.total == 18


def test_a_tree_has_all_levels() -> None:
    rows = {
        "0": whole(30),
        "0.0": row(documents=9, total=9, bounds=bounds(0, 50)),
        "0.1": row(total=20, split=2, bounds=bounds(50, 100)),
        "0.1.0": row(documents=9, total=9, bounds=bounds(50, 75)),
        "0.1.1": row(documents=9, total=9, bounds=bounds(75, 100)),
    }
    found = status(RANGE, rows)
    assert (found.documents, found.slices, found.total) == (27, 3, 27)
    assert found.verdict is not None
    assert found.verdict.reasons[0][1].startswith("slice 0 (0 to 100): 27 documents, but the source declared 30")


def test_what_a_torn_split_left_is_not_counted() -> None:
    rows = {"0": whole(5, split=1), "0.0": row(documents=5, total=5, bounds=bounds(0, 100)), "0.1": row(documents=4)}
    found = status(RANGE, rows)
    assert (found.documents, found.slices, reasons(found)) == (5, 1, [])


@pytest.mark.parametrize(
    ("states", "expected", "is_over"),
    [
        (("finished", "finished"), "finished", True),
        (("finished", "queued"), "queued", False),
        (("failed", "running"), "failed", False),
        (("failed", "cancelled"), "failed", True),
        (("paused", "snoozed"), "snoozed", False),
    ],
)
def test_a_crawl_is_over_when_all_slices_are(states: tuple[str, str], expected: str, is_over: bool) -> None:
    rows = {"0": whole(5), **{f"0.{n}": row(state, error="why", bounds=bounds(0, 9)) for n, state in enumerate(states)}}
    found = status(RANGE, rows)
    assert (found.state, found.is_over, found.verdict is None) == (expected, is_over, expected != "finished")
    assert found.error == ("slice 0.0: why" if expected == "failed" else "")


def test_what_was_dropped_is_told_by_slice() -> None:
    rows = {"0": whole(), "0.0": row(trimmed="3-1"), "0.1": row(trimmed="0-0")}
    assert status(RANGE, rows).trimmed == "0.0:3-1"
