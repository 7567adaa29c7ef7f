"""What speaks against the pages of a walk: circles, rows that come again, an end that nobody said.

A circle stops the walk. All else is a doubt, a word that goes with the page to the verdict (`verdict.DOUBTS`).
"""

from collections import OrderedDict
from collections.abc import Sequence

from xxhash import xxh3_64, xxh3_64_hexdigest, xxh32_hexdigest

from pagefleet.crawl import Crawl
from pagefleet.decode import member
from pagefleet.page import Cursor, Page, encode
from pagefleet.paginators import Answer

REMEMBERED = 5_000
"""Pages among which a circle is recognised, and documents among which one that comes twice is."""

DIGEST = 16
"""Digits of a page's digest; behind them are those of its last document."""


class Watch:
    """Sees the pages of one walk go by. `before` is the digest of the page before the first."""

    def __init__(self, crawl: Crawl, before: str) -> None:
        self._crawl, self._rule = crawl, crawl.paginate
        self._before, self._mark = before, before[DIGEST:]
        self._doubts: list[str] = []
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._key = crawl.names(crawl.key) if crawl.key else ()

    def doubt(self, word: str) -> None:
        """Keep this for the verdict."""
        if word not in self._doubts:
            self._doubts.append(word)

    def doubts(self) -> str:
        """All since the last time, with blanks between them."""
        words, self._doubts = " ".join(self._doubts), []
        return words

    def restart(self) -> str:
        """The pages may come again; answers the digest of the last one."""
        before, self._before, self._mark = self._before, "", ""
        self._seen.clear()
        return before

    def see_end(self, answer: Answer, total: int | None, *, is_first: bool) -> None:
        """Of the last page: what speaks against its being the last."""
        is_silent = not self._rule.is_said(answer)
        if self._crawl.total and total is None:
            self.doubt("no-total")
        elif is_silent and total is None and is_first and answer.documents:
            self.doubt("no-pointer")
        if is_silent and self._crawl.format == "html" and not answer.documents:
            self.doubt("no-documents")

    def is_clamped(self, cursor: Cursor, page: Page, position: int, total: int | None) -> bool:
        """Is it the last page again, in answer to a page number behind it?"""
        if not page.documents or page.digest != self._before:
            return False
        is_clamped = self._rule.is_clamped(cursor, len(page.documents), total)
        if is_clamped and (total is None or position < total):
            self.doubt("clamped")
        return is_clamped

    def fault(self, cursor: Cursor, page: Page, total: int | None) -> str:
        """How this page shows that the server goes round in a circle; '': it does not."""
        if page.cursor is not None and self._rule.is_repeat(cursor, page.cursor, len(page.documents)):
            return "it names itself as the next page"
        if page.documents and page.digest == self._before:
            return "it holds the very documents of the page before it"
        place = hash((encode(cursor), page.digest))
        if place in self._seen:
            return "it was there before, with the same documents: the cursors go round in a circle"
        self._weigh(page, total)
        self._remember(place, *(map(hash, page.documents) if self._crawl.key else ()))
        self._before = page.digest
        return ""

    def _weigh(self, page: Page, total: int | None) -> None:
        """Rows that shifted under the walk: some of them come again, or the total falls."""
        if self._crawl.key and any(hash(document) in self._seen for document in page.documents):
            self.doubt("overlap")
        if self._crawl.key and self._mark and any(_mark(document) == self._mark for document in page.documents):
            self.doubt("overlap")  # with a page that another worker saw
        self._mark = ""
        if self._key and page.documents:
            if not any(member(document, self._key) for document in page.documents):
                self.doubt("no-key")
            self._key = ()  # one page tells
        if total is not None and page.total is not None and page.total < total:
            self.doubt("shrunk")

    def _remember(self, *things: int) -> None:
        for thing in things:
            self._seen[thing] = None
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)


class Digest:
    """The digest of documents, as they are added behind these."""

    def __init__(self, documents: Sequence[bytes] = ()) -> None:
        self._whole, self._last = xxh3_64(), b""
        self._is_empty = True
        self.add(documents)

    def add(self, documents: Sequence[bytes]) -> str:
        """These, too; answers the digest of all so far."""
        if documents:
            self._whole.update(b"" if self._is_empty else b"\n")
            self._whole.update(b"\n".join(documents))
            self._is_empty, self._last = False, documents[-1]
        return self._whole.hexdigest() + ("" if self._is_empty else _mark(self._last))


def digest(documents: Sequence[bytes]) -> str:
    """Of the documents in order, 16 hexadecimal digits, and of the last one 8: who goes on from a checkpoint knows no
    other document of the page before. Not against forgers: who serves a page may serve it twice as well."""
    whole = xxh3_64_hexdigest(b"\n".join(documents))
    return whole + _mark(documents[-1]) if documents else whole


def _mark(document: bytes) -> str:
    return xxh32_hexdigest(document)
