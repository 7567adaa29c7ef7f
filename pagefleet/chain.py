"""Whether a ledger's rows, a stream's documents and a checkpoint are one chain, from the start to the end. Pure.

The rows are seen in order, each with the documents of its page, and `result` tells what does not agree.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from pagefleet.page import BEFORE_ALL
from pagefleet.states import State
from pagefleet.watch import digest

LEDGER = 10_000
"""Rows that the ledger keeps, the last ones (a few more, for Redis cuts it roughly)."""
KEYS = 2_000_000
"""Keys that are compared; each takes some 70 bytes of memory meanwhile."""
TOLD = 10
"""Findings of one kind that are told one by one."""
NULL, REPLAY = "null", '{"$replay"'
"""The cursor at the start and behind the end; and what a crawl goes on with that tries its quarantine again."""
Place = tuple[int, int]
"""Page number and index: the two halves of an id."""


def place(document: str) -> Place:
    """Of an id."""
    page, _, index = document.partition("-")
    return int(page), int(index)


@dataclass(frozen=True, slots=True)
class Row:
    """What the ledger says of one page. Cursors are JSON, as they stand in Redis."""

    page: int
    cursor: str
    following: str
    documents: int
    digest: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A document in the stream; its key is empty where it has none."""

    index: int
    data: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a slice stood at one moment, by its own row."""

    at: Place
    cursor: str
    documents: int
    pages: int
    has_drifted: bool
    """A page changed at the source while it was committed in parts."""
    trimmed: Place
    """The last document that was dropped."""
    state: State

    @classmethod
    def of(cls, row: Mapping[str, str]) -> Self:
        """From a slice's row as it is in Redis."""
        at = int(row["page"]), int(row["index"])
        documents, pages = int(row["documents"]), int(row["pages"])
        has_drifted = "drift" in row.get("doubts", "").split()
        trimmed, state = place(row.get("trimmed", BEFORE_ALL)), State(row["state"])
        return cls(at, row["cursor"], documents, pages, has_drifted, trimmed, state)


class Chain:
    """The pages before a checkpoint, one by one."""

    def __init__(self, standing: Standing) -> None:
        self.rows = 0
        self.documents = 0
        """Those that are what their page's row says."""
        self.keys = Keys()
        self._standing = standing
        self._found: dict[str, list[str]] = {}
        self._lost: list[tuple[int, list[int]]] = []
        self._first: Row | None = None
        self._last: Row | None = None
        self._counted = 0
        self._dropped = 0
        """Pages whose documents are not all there, because every reader had them."""
        self._rowless = 0
        self._leftovers = 0

    def see(self, row: Row, entries: Sequence[Entry]) -> None:
        """A row of the ledger, and the documents of its page."""
        if (row.page, 0) >= self._standing.at:
            self._leftovers += len(entries) + 1
            return
        self._link(row)
        self.rows += 1
        self._counted += row.documents
        self.keys.see(row.page, entries)
        there = [entry.index for entry in entries]
        if extra := [index for index in there if index >= row.documents]:
            self._find("extra", f"{_documents(row.page, extra)} in the stream, and the page had {row.documents}")
        if there == list(range(row.documents)):
            self._compare(row, entries)
        else:
            self._miss(row.page, row.documents, there)

    def see_rowless(self, page: int, entries: Sequence[Entry]) -> None:
        """The documents of a page that has no row: it is under way or was torn, or its row was dropped."""
        before = [entry for entry in entries if (page, entry.index) < self._standing.at]
        self._leftovers += len(entries) - len(before)
        if not before:
            return
        self.keys.see(page, before)
        self._rowless += 1
        there = [entry.index for entry in before]
        self._miss(page, self._standing.at[1] if page == self._standing.at[0] else there[-1] + 1, there)

    def _link(self, row: Row) -> None:
        """To the row before."""
        last, self._last = self._last, row
        if last is None:
            self._first = row
            if row.page == 1 and row.cursor != NULL:
                self._find("chain", f"page 1 was fetched with {row.cursor:.80}, which is not the start")
        elif row.page != last.page + 1:
            self._find("gap", f"{_pages(last.page + 1, row.page - 1)} not in the ledger")
        elif not _leads(last, row.cursor):
            led = f"page {last.page} led to {last.following:.80}"
            self._find("chain", f"{led}, and page {row.page} was fetched with {row.cursor:.80}")

    def _compare(self, row: Row, entries: Sequence[Entry]) -> None:
        if row.digest == digest([entry.data for entry in entries]):
            self.documents += len(entries)
            return
        said = f"page {row.page}: its documents are not those that were fetched, or not in their order"
        if self._standing.has_drifted:
            said += "; some page changed at the source while it was committed in parts, and this may be it"
        self._find("digest", said)

    def _miss(self, page: int, count: int, there: Iterable[int]) -> None:
        self._lost.append((page, sorted(set(range(count)).difference(there))))

    def _find(self, word: str, said: str) -> None:
        self._found.setdefault(word, []).append(said)

    # When all is seen

    def result(self, trimmed: Place) -> tuple[list[tuple[str, str]], list[str]]:
        """What does not agree, and what cannot be checked; `trimmed` is what has been dropped by now."""
        for page, indices in self._lost:
            if lost := [index for index in indices if (page, index) > trimmed]:
                self._find("gap", f"{_documents(page, lost)} not in the stream")
            elif indices:
                self._dropped += 1
        for said in self.keys.twice:
            self._find("duplicate", said)
        limits = self._check_start()
        self._check_end()
        return [(word, said) for word, every in self._found.items() for said in _some(every)], limits + self._limits()

    def _check_start(self) -> list[str]:
        start = self._first.page if self._first else self._standing.at[0]
        if start > 1 and self.rows >= LEDGER:
            return [f"{_pages(1, start - 1)} no longer in the ledger, which keeps the last {LEDGER:,} rows"]
        if start > 1:
            self._find("gap", f"{_pages(1, start - 1)} not in the ledger")
            return []
        counted = self._counted + self._standing.at[1]
        if counted != self._standing.documents:
            said = f"{self._standing.documents} documents are said to be delivered"
            self._find("count", f"{said}, and the ledger accounts for {counted}")
        return []

    def _check_end(self) -> None:
        (page, index), last = self._standing.at, self._last
        if last and last.page != page - 1:
            self._find("gap", f"{_pages(last.page + 1, page - 1)} not in the ledger, and the crawl stands behind")
        elif last and not _leads(last, self._standing.cursor):
            self._find("chain", f"page {last.page} led to {last.following:.80}, and the crawl stands elsewhere")
        if self._standing.pages != page - 1:
            self._find(
                "count", f"{self._standing.pages} pages are said to be delivered, and the next one is page {page}"
            )
        if self._standing.state is not State.FINISHED:
            place = f"before page {page}" if not index else f"in page {page}, before document {index}"
            self._find("unfinished", f"it is {self._standing.state}, and stands {place}")
        elif index or self._standing.cursor != NULL:
            self._find("chain", f"it is finished, and would go on with {self._standing.cursor:.80}")

    def _limits(self) -> list[str]:
        said: list[str] = []
        if self._dropped:
            said.append(f"the documents of {self._dropped} pages: every reader had them, and they were dropped")
        if self._rowless:
            said.append(f"the digests of {self._rowless} pages that have no row in the ledger")
        if self._leftovers:
            said.append(f"{self._leftovers} entries behind the checkpoint, which a torn write left and nobody reads")
        return said + self.keys.limits()


class Keys:
    """The keys that were seen; `twice` says which came again."""

    def __init__(self) -> None:
        self.count = 0
        self.twice: list[str] = []
        self.seen: set[int] = set()
        """Their hashes."""
        self._nameless = self._others = 0

    def see(self, page: int, entries: Sequence[Entry]) -> None:
        """Those of one page's documents."""
        for entry in entries:
            if not entry.key:
                self._nameless += 1
            elif self.count >= KEYS:
                self._others += 1
            else:
                self._add(f"{page}-{entry.index}", entry.key)

    def _add(self, document: str, key: bytes) -> None:
        self.count += 1
        mark = hash(key)
        if mark in self.seen:
            self.twice.append(f"document {document}: its key {key.decode(errors='replace')!r:.80} stood before it")
        self.seen.add(mark)

    def add(self, other: "Keys") -> int:
        """Those of another slice; answers how many of them were here already."""
        both = len(self.seen & other.seen)
        self.seen |= other.seen
        self.count += other.count
        return both

    def limits(self) -> list[str]:
        """What was not compared."""
        said = [f"{self._nameless} documents that have no key to tell them apart by"] if self._nameless else []
        return said + ([f"the keys of {self._others} documents behind the first {KEYS:,}"] if self._others else [])


def _leads(row: Row, cursor: str) -> bool:
    """Behind the end stands the start of a replay, or nothing."""
    return row.following == cursor or (row.following == NULL and cursor.startswith(REPLAY))


def _pages(first: int, last: int) -> str:
    return f"page {first} is" if first == last else f"pages {first} to {last} are"


def _documents(page: int, indices: Sequence[int]) -> str:
    shown = ", ".join(map(str, indices[:TOLD])) + (" and more" if len(indices) > TOLD else "")
    return f"page {page}: document {shown} is" if len(indices) == 1 else f"page {page}: documents {shown} are"


def _some(said: list[str]) -> list[str]:
    return said if len(said) <= TOLD else [*said[:TOLD], f"and {len(said) - TOLD} more of the kind"]
