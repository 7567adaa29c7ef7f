"""The audit's pure part: a chain that is whole agrees, and whatever is changed in it is found."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagefleet.chain import LEDGER, Chain, Entry, Row, Standing, place
from pagefleet.states import State
from pagefleet.watch import digest

SIZES = st.lists(st.integers(0, 4), min_size=1, max_size=6)
Stream = dict[str, tuple[bytes, bytes]]


@dataclass
class Slice:
    """What Redis has of a crawl: rows, documents with their keys by id, and the checkpoint."""

    rows: list[Row]
    stream: Stream
    standing: Standing

    def found(self, trimmed: tuple[int, int] = (0, 0)) -> list[str]:
        """The words of what does not agree."""
        return [word for word, _ in self.told(trimmed)[0]]

    def told(self, trimmed: tuple[int, int] = (0, 0)) -> tuple[list[tuple[str, str]], list[str]]:
        chain = Chain(replace(self.standing, trimmed=trimmed))
        pages: dict[int, list[Entry]] = {}
        for entry, (data, key) in sorted(self.stream.items(), key=lambda item: place(item[0])):
            page, index = place(entry)
            pages.setdefault(page, []).append(Entry(index, data, key))
        rows = {row.page: row for row in self.rows}
        for page in sorted(rows.keys() | pages.keys()):
            if page in rows:
                chain.see(rows[page], pages.get(page, []))
            else:
                chain.see_rowless(page, pages[page])
        return chain.result(trimmed)


def whole(sizes: list[int]) -> Slice:
    """A finished crawl with pages of so many documents."""
    rows: list[Row] = []
    stream: Stream = {}
    for page, size in enumerate(sizes, 1):
        documents = [b'{"n":"%d-%d"}' % (page, index) for index in range(size)]
        following = "null" if page == len(sizes) else f'"{page}"'
        rows.append(Row(page, "null" if page == 1 else f'"{page - 1}"', following, size, digest(documents)))
        stream |= {f"{page}-{index}": (data, b"%d/%d" % (page, index)) for index, data in enumerate(documents)}
    at = (len(sizes) + 1, 0)
    return Slice(rows, stream, Standing(at, "null", sum(sizes), len(sizes), False, (0, 0), State.FINISHED))


@given(SIZES)
def test_a_whole_crawl_agrees(sizes: list[int]) -> None:
    assert whole(sizes).told() == ([], [])


@pytest.mark.invariant("O-5")
@given(SIZES, st.data())
def test_a_document_that_is_missing_is_found(sizes: list[int], data: st.DataObject) -> None:
    crawl = whole([*sizes, 2])
    lost = data.draw(st.sampled_from(sorted(crawl.stream)))
    del crawl.stream[lost]
    assert crawl.found() == ["gap"]
    assert f"page {place(lost)[0]}: document {place(lost)[1]} is not" in crawl.told()[0][0][1]


@pytest.mark.invariant("O-5")
@given(SIZES, st.data())
def test_two_documents_that_are_swapped_are_found(sizes: list[int], data: st.DataObject) -> None:
    crawl = whole([*sizes, 2])
    one, other = data.draw(st.lists(st.sampled_from(sorted(crawl.stream)), min_size=2, max_size=2, unique=True))
    crawl.stream[one], crawl.stream[other] = crawl.stream[other], crawl.stream[one]
    assert crawl.found() == ["digest"] * len({place(one)[0], place(other)[0]})


@pytest.mark.invariant("O-5")
@given(SIZES, st.data())
def test_a_document_that_stands_twice_is_found(sizes: list[int], data: st.DataObject) -> None:
    """In place of another, or behind the page's last."""
    crawl = whole([*sizes, 2])
    one = data.draw(st.sampled_from(sorted(crawl.stream)))
    more = {f"{row.page}-{row.documents}" for row in crawl.rows}
    other = data.draw(st.sampled_from(sorted(crawl.stream.keys() - {one} | more)))
    crawl.stream[other] = crawl.stream[one]
    assert set(crawl.found()) == {"duplicate", "digest" if other not in more else "extra"}


@given(SIZES, st.data())
def test_a_byte_that_changed_is_found(sizes: list[int], data: st.DataObject) -> None:
    crawl = whole([*sizes, 2])
    one = data.draw(st.sampled_from(sorted(crawl.stream)))
    crawl.stream[one] = (crawl.stream[one][0] + b" ", crawl.stream[one][1])
    assert crawl.found() == ["digest"]


@given(SIZES, st.data())
def test_a_row_that_is_missing_is_found(sizes: list[int], data: st.DataObject) -> None:
    crawl = whole([*sizes, 2])
    del crawl.rows[data.draw(st.integers(0, len(sizes)))]
    assert "gap" in crawl.found()


@given(SIZES, st.data())
def test_two_rows_that_are_swapped_are_found(sizes: list[int], data: st.DataObject) -> None:
    crawl = whole([*sizes, 2, 1])
    one, other = data.draw(st.lists(st.integers(0, len(sizes) + 1), min_size=2, max_size=2, unique=True))
    rows = crawl.rows
    rows[one], rows[other] = replace(rows[other], page=one + 1), replace(rows[one], page=other + 1)
    assert "chain" in crawl.found()


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "a count of documents": ({"documents": 7}, "count"),
    "a count of pages": ({"pages": 2}, "count"),
    "a checkpoint ahead": ({"at": (5, 0), "pages": 4}, "gap"),
    "a cursor behind the end": ({"cursor": '"9"'}, "chain"),
    "not at the end": ({"state": State.RUNNING, "cursor": "null"}, "unfinished"),
    "in the middle of a page": ({"at": (4, 1), "documents": 6}, "chain"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_checkpoint_that_is_elsewhere_is_found(name: str) -> None:
    change, word = CHANGES[name]
    crawl = whole([2, 1, 2])
    crawl.standing = replace(crawl.standing, **change)
    assert word in crawl.found()


def test_a_first_page_that_was_not_fetched_from_the_start_is_found() -> None:
    crawl = whole([2, 1])
    crawl.rows[0] = replace(crawl.rows[0], cursor='"7"')
    assert crawl.found() == ["chain"]


def test_a_page_under_way_is_no_fault() -> None:
    crawl = whole([2, 4, 1])
    crawl.rows, at = crawl.rows[:1], (2, 3)
    crawl.standing = replace(crawl.standing, at=at, cursor='"1"', documents=5, pages=1, state=State.RUNNING)
    findings, limits = crawl.told()
    assert findings == [("unfinished", "it is running, and stands in page 2, before document 3")]
    assert limits == [
        "the digests of 1 pages that have no row in the ledger",
        "2 entries behind the checkpoint, which a torn write left and nobody reads",
    ]


@pytest.mark.parametrize("trimmed", [(1, 0), (1, 1), (2, 0), (3, 1)])
def test_what_every_reader_had_cannot_be_checked(trimmed: tuple[int, int]) -> None:
    crawl = whole([2, 1, 2])
    for entry in list(crawl.stream):
        if place(entry) <= trimmed:
            del crawl.stream[entry]
    findings, (limit,) = crawl.told(trimmed)
    assert findings == []
    assert limit == f"the documents of {trimmed[0]} pages: every reader had them, and they were dropped"
    assert "gap" in crawl.found()


def test_rows_that_a_long_ledger_has_dropped_cannot_be_checked() -> None:
    crawl = whole([1] * (LEDGER + 3))
    crawl.rows = crawl.rows[3:]
    findings, limits = crawl.told()
    assert findings == []
    assert limits[0].startswith("pages 1 to 3 are no longer in the ledger")
    crawl.rows = crawl.rows[1:]
    assert crawl.found() == ["gap"]


def test_what_is_in_the_quarantine_may_follow_the_end() -> None:
    crawl = whole([2, 1, 1])
    crawl.rows[2] = replace(crawl.rows[2], cursor='{"$replay":[7]}')
    crawl.rows[1] = replace(crawl.rows[1], following="null")
    assert crawl.found() == []


def test_a_page_that_changed_between_its_parts_is_named() -> None:
    crawl = whole([2, 1])
    crawl.standing = replace(crawl.standing, has_drifted=True)
    crawl.stream["1-1"] = (b"changed", b"1/1")
    assert "changed at the source while it was committed in parts" in crawl.told()[0][0][1]


def test_documents_without_keys_are_told() -> None:
    crawl = whole([3])
    crawl.stream = {entry: (data, b"") for entry, (data, _) in crawl.stream.items()}
    assert crawl.told() == ([], ["3 documents that have no key to tell them apart by"])


def test_many_findings_of_a_kind_are_told_in_short() -> None:
    crawl = whole([1] * 50)
    crawl.stream = {entry: (b"x", key) for entry, (_, key) in crawl.stream.items()}
    findings, _ = crawl.told()
    assert len(findings) == 11
    assert findings[-1] == ("digest", "and 40 more of the kind")
