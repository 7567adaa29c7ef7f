"""Where a walk goes on that was left: its cursor, the place among parents and children, a page delivered in part.

A worker may die anywhere, and what is fetched again need not be what it was. So a cursor has to be one of its crawl's,
whoever kept it meanwhile, and what was delivered is known again by digests.
"""

import hashlib
import json
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from pagefleet.crawl import Crawl
from pagefleet.decode import is_array, is_object
from pagefleet.errors import LaterRelease, Stop
from pagefleet.fetch import Reply, Send, Wait
from pagefleet.page import Checkpoint, Cursor, Page
from pagefleet.paginators.numbers import NARROW
from pagefleet.paginators.opaque import CURSOR, FALLEN, KEYSET
from pagefleet.paginators.rule import is_count
from pagefleet.redaction import quoted
from pagefleet.url import safe
from pagefleet.watch import digest

Steps = Generator[Send | Wait | Page, Reply, None]
START = Checkpoint()
REPLAY = "$replay"
"""In a cursor: the cursors of documents that are tried again."""
KINDS = frozenset({REPLAY, NARROW, FALLEN, CURSOR, KEYSET})
"""What tells cursors of ours from those of servers."""


def check(crawl: Crawl, cursor: Cursor) -> None:
    """Raises `Stop` when no page of this crawl can have named this cursor, and `LaterRelease` when a later release may
    have.

    What stands in a cursor of `each` for its parents and its child is checked where they are walked.
    """
    if cursor is None:
        return
    _check_kind(cursor)
    if not (_is_json(cursor) and _fits(crawl, cursor)):
        raise Stop(
            f"going on from the cursor {quoted(cursor)} of {safe(crawl.url)}: no page of such a crawl has one like it; "
            f"give the cursor of a page as that had it, or None to begin at the start"
        )


def _check_kind(cursor: Cursor) -> None:
    """Members of ours begin with a `$`, and the server's own are wrapped where theirs do: a release that adds a kind of
    cursor marks it so, and one that does not know it sends it to nobody."""
    strange = {name for name in map(str, cursor) if name.startswith("$")} - KINDS if is_object(cursor) else set[str]()
    if strange:
        found = f"going on from a cursor with {', '.join(sorted(strange))}: there is no such kind"
        raise LaterRelease(f"{found}; it was committed by a later release, so run that here, too")


def _is_json(cursor: Cursor) -> bool:
    try:
        return bool(json.loads(json.dumps(cursor, allow_nan=False)) == cursor)
    except (TypeError, ValueError, RecursionError):
        return False


def _fits(crawl: Crawl, cursor: Cursor) -> bool:
    if is_object(cursor) and REPLAY in cursor:
        again = cursor[REPLAY] if is_array(cursor[REPLAY]) else list[Cursor]()
        return len(cursor) == 1 and len(again) > 0 and all(is_object(one) and REPLAY not in one for one in again)
    return crawl.paginate.fits(cursor) if crawl.each is None else is_place(cursor)


def upcoming(flow: Steps) -> Generator[Send | Wait, Reply, Page | None]:
    """The next page of a walk, whose requests go out as ours; None behind the last."""
    reply: Reply = None
    while True:
        try:
            step = flow.send(reply)
        except StopIteration:
            return None
        if isinstance(step, Page):
            return step
        reply = yield step


# A page that was delivered in part


def regained(flow: Steps, checkpoint: Checkpoint) -> Steps:
    """The pages from the beginning of a page on of which a part is delivered, aligned to that part (see `Regained`)."""
    again = Regained(checkpoint)
    while (page := (yield from upcoming(flow))) is not None:
        yield from again.take(page)


class Regained:
    """Takes the pages from the beginning of that page on, and gives them so that the index of the checkpoint counts
    from the beginning of the first one.

    They may be smaller than that page was: because the server gives less at once by now, because the page is asked for
    in parts, or because its cursor has died. Then those that hold what was delivered become one. If that is there no
    more, byte for byte, the page has changed (`drift`); then only those become one whose positions count.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._index, self._digest = checkpoint.index, checkpoint.digest
        self._held: list[Page] = []

    def take(self, page: Page) -> Iterable[Page]:
        """The pages that can be given by now; none: it takes more."""
        if self._index == 0:
            return [page]
        self._held.append(page)
        if sum(len(_places(one)) for one in self._held) < self._index and not page.is_last:
            return []
        pages, index, self._held, self._index = self._held, self._index, [], 0
        whole = _joined(pages)
        if digest(whole.documents[:index]) == self._digest:
            return [whole]
        count = next((n for n, one in enumerate(pages, 1) if not one.is_seamless), len(pages))
        whole = _joined(pages[:count])
        return [replace(whole, doubt=f"{whole.doubt} drift".strip()), *pages[count:]]


def _joined(pages: Sequence[Page]) -> Page:
    """One page of several. Documents that could not be had keep their places, for they were delivered before."""
    if len(pages) == 1 and not pages[0].quarantined:
        return pages[0]
    last, documents = pages[-1], [document for page in pages for document in _places(page)]
    words = dict.fromkeys(word for page in pages for word in page.doubt.split() if word != "quarantined")
    return replace(
        last,
        documents=documents,
        total=next((page.total for page in reversed(pages) if page.total is not None), None),
        size=sum(page.size for page in pages),
        seconds=sum(page.seconds for page in pages),
        digest=digest(documents),
        doubt=" ".join(words),
        notice=next((page.notice for page in reversed(pages) if page.notice), ""),
        quarantined=None,
    )


def _places(page: Page) -> Sequence[bytes]:
    return [b""] if page.quarantined else page.documents


# A place among parents and children

SHOWN, UNSAID = "shown", "unsaid"


class Place(Struct, frozen=True):
    """`parent` fetches the page whose document at `index` is followed; `child` is where that stands, None: done."""

    parent: Checkpoint = START
    index: int = 0
    mark: str = ""
    child: Checkpoint | None = None
    pointer: str = ""
    """Of all children so far: SHOWN once one went on, else UNSAID once one ended without a word."""

    @classmethod
    def of(cls, cursor: Cursor) -> "Place":
        if cursor is None:
            return cls()
        child = None if cursor["child"] is None else _checkpoint(cursor["child"])
        return cls(_checkpoint(cursor["parent"]), cursor["index"], cursor["mark"], child, cursor["pointer"])

    def cursor(self) -> Cursor:
        """This place as a JSON value."""
        child = None if self.child is None else _listed(self.child)
        parent = _listed(self.parent)
        return {"parent": parent, "index": self.index, "mark": self.mark, "child": child, "pointer": self.pointer}

    def found(self, pages: Sequence[Page]) -> tuple[int, Checkpoint | None, bool]:
        """Of the parents' pages that were `sought`: how many documents are done with, where the child of the next one
        stands (None: at its start), and whether documents have moved."""
        if not self.mark:
            return 0, None, False
        index = self._index([document for page in pages for document in page.documents])
        if index is None:
            count = next((n for n, page in enumerate(pages, 1) if not page.is_seamless), len(pages))
            return min(self.index, sum(len(page.documents) for page in pages[:count])), None, True
        is_done = self.child is None
        return index + is_done, self.child, index != self.index

    def parent_of(self, pages: Sequence[Page]) -> bytes | None:
        """The document that was followed, if it is still among them."""
        documents = [document for page in pages for document in page.documents]
        index = self._index(documents)
        return None if index is None else documents[index]

    def _index(self, documents: Sequence[bytes]) -> int | None:
        marks = [mark_of(document) for document in documents]
        if marks[self.index : self.index + 1] == [self.mark]:
            return self.index
        return marks.index(self.mark) if self.mark in marks else None


def sought(parents: Steps, place: Place) -> Generator[Send | Wait, Reply, deque[Page]]:
    """The parents' pages up to the document that was followed. One page once, they may be several by now."""
    pages, count = deque[Page](), 0
    while place.mark and count <= place.index and (page := (yield from upcoming(parents))) is not None:
        pages.append(page)
        count += len(page.documents)
    return pages


def is_place(cursor: Cursor) -> bool:
    """Could this JSON value be the cursor of a crawl's children?"""
    if not is_object(cursor) or cursor.keys() != Place().cursor().keys():
        return False
    child, pointer = cursor["child"], cursor["pointer"]
    is_followed = is_count(cursor["index"]) and isinstance(cursor["mark"], str)
    is_somewhere = _is_checkpoint(cursor["parent"]) and (child is None or _is_checkpoint(child))
    return is_followed and is_somewhere and pointer in ("", SHOWN, UNSAID)


def _is_checkpoint(said: Any) -> bool:
    if not is_array(said) or len(said) != len(_listed(START)):
        return False
    _, documents, total, before = said
    return is_count(documents) and (total is None or is_count(total)) and isinstance(before, str)


def _checkpoint(said: Any) -> Checkpoint:
    cursor, documents, total, before = said
    return Checkpoint(0, 0, cursor, documents, total, before)


def _listed(at: Checkpoint) -> list[Any]:
    return [at.cursor, at.documents, at.total, at.digest]


def mark_of(document: bytes) -> str:
    """By which a parent is found again."""
    return hashlib.blake2b(document, digest_size=6).hexdigest()
