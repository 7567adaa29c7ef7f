"""The walk of one source, without I/O: a generator that says what to do and is told what came of it.

    walk(crawl, checkpoint)  ->  Send, Wait    as `fetch` has them
                             ->  Page          answered with None

Both drivers in `pages.py`, the asynchronous and the synchronous one, are a few lines around it. The habit is httpx'
`auth_flow`: what is decided is written once, what waits is written twice.
"""

from collections.abc import Generator, Sequence
from functools import partial
from http import HTTPStatus

from msgspec.structs import replace

from pagefleet.children import child_alone, walk_children
from pagefleet.crawl import Crawl
from pagefleet.credentials import dressed, kept
from pagefleet.decode import is_object
from pagefleet.errors import CursorDied, Exhausted, RetryNow, Stop
from pagefleet.fetch import Reply, Send, Wait, fetch
from pagefleet.merge import merged
from pagefleet.page import LONGEST_CURSOR, Checkpoint, Cursor, Page, Quarantined, Request, Response, encode
from pagefleet.paginators import Answer, Continue, Opaque
from pagefleet.paginators.numbers import NARROW
from pagefleet.paginators.rule import number
from pagefleet.reading import Reading, head
from pagefleet.redaction import quoted
from pagefleet.resume import REPLAY, Steps, check, regained
from pagefleet.url import safe
from pagefleet.watch import Watch, digest

AGAIN = 2
"""So often is an empty page asked for again that stands before the declared total."""
FALLS = 2
"""So often may a cursor die at one place; then going on by the fallback leads nowhere."""
NARROW_ATTEMPTS = 2
"""At a part of a page all of whose attempts are used up already."""
POISONOUS = 5
"""Documents in a row that may be left out; behind so many it is the server that fails, and not they."""
PARTS = 1_000
"""Answers that one page may be made of."""


def walk(crawl: Crawl, checkpoint: Checkpoint, *, may_be_missing: bool = False, may_set_aside: bool = True) -> Steps:
    """All pages from a checkpoint to the end, with retries, redirects and waits between them.

    Raises `Stop` where no retry can help: the checkpoint then still points at the page that could not be had. A crawl
    that `may_be_missing` has no documents where its first page is answered with a status of `paginate.past_end`; one
    that `may_set_aside` documents goes on behind those that can never be had.
    """
    check(crawl, checkpoint.cursor)
    if checkpoint.index:
        begin = replace(checkpoint, index=0, documents=checkpoint.documents - checkpoint.index, digest="")
        pages = walk(crawl, begin, may_be_missing=may_be_missing, may_set_aside=may_set_aside)
        yield from regained(pages, checkpoint)
        return
    if is_object(checkpoint.cursor) and REPLAY in checkpoint.cursor:
        yield from _replayed(crawl, checkpoint)
        return
    if crawl.each is not None:
        yield from walk_children(crawl, crawl.each, checkpoint, walk, may_be_missing=may_be_missing)
        return
    flow = _Walk(crawl, checkpoint, may_be_missing=may_be_missing, may_set_aside=may_set_aside)
    held, is_last = list[Page](), False
    while not is_last:
        page = yield from flow.upcoming()
        if page is None:
            continue
        held.append(page)
        if not page.quarantined:  # what is set aside is known to be at fault once the server answers to something else
            yield from held
            held, is_last = [], page.is_last


def _replayed(crawl: Crawl, checkpoint: Checkpoint) -> Steps:
    """A page for each document that could not be had before, and that may be had by now."""
    cursors: list[Cursor] = checkpoint.cursor[REPLAY]
    while cursors:
        cursor, *cursors = cursors
        rest = {REPLAY: cursors} if cursors else None
        page = yield from _alone(crawl, replace(checkpoint, cursor=cursor))
        yield replace(page, cursor=rest, is_last=rest is None)


def _alone(crawl: Crawl, checkpoint: Checkpoint) -> Generator[Send | Wait, Reply, Page]:
    check(crawl, checkpoint.cursor)
    if crawl.each is not None:
        return (yield from child_alone(crawl, crawl.each, checkpoint.cursor, walk, _alone))
    return (yield from _Walk(crawl, checkpoint).alone())


class _End(Answer, frozen=True):
    """An answer that says only that there is nothing more."""


class _Walk:
    """Where a walk stands: `cursor` fetches the next page, `delivered` documents came before it."""

    def __init__(
        self, crawl: Crawl, checkpoint: Checkpoint, *, may_be_missing: bool = False, may_set_aside: bool = True
    ) -> None:
        self._crawl, self._rule, self._reading = crawl, crawl.paginate, Reading(crawl)
        self._first, self._dress = crawl.first(), partial(dressed, crawl)
        self._may_be_missing, self._may_set_aside = may_be_missing, may_set_aside
        self._cursor, self._delivered = checkpoint.cursor, checkpoint.documents
        self._watch, self._total = Watch(crawl, checkpoint.digest), checkpoint.total
        self._is_resumed = checkpoint.cursor is not None
        self._empties, self._arrived = 0, 0
        self._parts: list[Sequence[bytes]] = []
        self._skip, self._behind = 0, ""
        self._notice = ""
        self._poisonous, self._lost = 0, 0
        self._falls: tuple[int, int] = (-1, 0)

    @property
    def _position(self) -> int:
        """Documents of the source before the next page; behind a fall to the start, fewer than are delivered."""
        return self._rule.before + self._delivered + self._lost - self._skip

    def upcoming(self) -> Generator[Send | Wait, Reply, Page | None]:
        """The next page; None when what was fetched is none yet: a part of it, a dead cursor, or what is delivered."""
        try:
            answer = yield from self._answer()
        except CursorDied as death:
            self._fall(death)
            return None
        except Exhausted as exhausted:
            return self._narrowed(exhausted)
        following = None if isinstance(answer, _End) else self._following(answer)
        documents = self._whole(answer, following)
        if documents is None:
            self._cursor = following
            return None
        page = self._page(answer, following, documents)
        if self._watch.is_clamped(self._cursor, page, self._position, self._total):
            page = replace(page, documents=[], cursor=None, is_last=True, digest=digest([]))
        if page.documents and page.total is None and self._rule.may_skip(self._cursor, self._position):
            self._watch.doubt("short-pages")
        if fault := self._watch.fault(self._cursor, page, self._total):
            place = safe(self._rule.request(self._first, self._cursor).url)
            remedy = f"so the server ignores the cursor {quoted(self._cursor)}; check the crawl's paginate"
            raise Stop(f"reading {place}: {fault}, {remedy}")
        return self._moved_behind(page)

    def alone(self) -> Generator[Send | Wait, Reply, Page]:
        """The page of this cursor, whatever comes before and behind it."""
        try:
            answer = yield from self._answer()
        except Exhausted as fault:
            lost = Quarantined(self._cursor, str(fault))
            return Page([], digest=digest([]), doubt="quarantined", quarantined=lost)
        return self._page(answer, None, list(answer.documents))

    # One answer

    def _answer(self) -> Generator[Send | Wait, Reply, Answer]:
        request = self._rule.request(self._first, self._cursor)
        is_repeatable = not isinstance(self._rule, Opaque) or self._rule.is_repeatable(self._cursor)
        if self._is_resumed and not is_repeatable:
            raise CursorDied("its page may have been sent before, to a worker that is gone")
        self._is_resumed, self._empties = False, 0 if is_repeatable else AGAIN
        read, limits = partial(self._read, request), self._crawl.limits
        if self._is_narrow:
            limits = limits.model_copy(update={"attempts": min(limits.attempts, NARROW_ATTEMPTS)})
        ahead = self._rule.ahead(self._cursor, self._position, self._arrived, self._rule.within(self._total))
        following = tuple(self._dress(self._rule.request(self._first, cursor)) for cursor in ahead)
        return (yield from fetch(request, limits, self._dress, read, ahead=following, is_repeatable=is_repeatable))

    def _read(self, request: Request, response: Response) -> Answer:
        """An answer, if the response is one; raises `RetryNow` when it may be another the next time."""
        if self._is_past_end(response):
            return _End(response)
        if isinstance(self._rule, Opaque) and self._rule.is_dead(self._cursor, response):
            raise CursorDied(f"{safe(request.url)} answered {response.status} {head(response)!r}")
        decoded = self._reading.decoded(request, response)
        fresh = self._rule.fresh(self._cursor, decoded.documents)
        dropped = len(decoded.documents) - len(fresh)
        answer = Answer(response, fresh, decoded.members, self._position, dropped, self._crawl.names)
        self._check_empty(answer)
        return answer

    def _is_past_end(self, response: Response) -> bool:
        """The first page is behind no other: where it is answered with an error, the URL is wrong."""
        is_first = self._cursor is None and not self._rule.before
        if is_first and response.status >= HTTPStatus.BAD_REQUEST and not self._may_be_missing:
            return False
        return self._rule.is_past_end(response, self._position, self._total)

    def _check_empty(self, answer: Answer) -> None:
        """arXiv and others answer with empty pages now and then: one that cannot be the end is asked for again."""
        total = self._rule.within(self._declared(answer))
        is_early = not answer.documents and total is not None and self._position < total
        again = min(AGAIN, self._crawl.limits.attempts - 1)
        if is_early and self._empties < again and self._rule.next(self._cursor, answer) is None:
            self._empties += 1
            raise RetryNow(f"an empty page after {self._position} documents of {total}")

    def _declared(self, answer: Answer) -> int | None:
        found = number(answer.find(self._crawl.total)) if self._crawl.total else None
        return self._total if found is None else found

    def _following(self, answer: Answer) -> Cursor:
        """The next cursor, as it may be stored."""
        following = kept(self._crawl, self._rule.next(self._cursor, answer))
        if len(encoded := encode(following)) > LONGEST_CURSOR:
            found = f"the cursor of the next page has {len(encoded)} bytes"
            raise Stop(f"reading {safe(answer.response.url)}: {found}, and at most {LONGEST_CURSOR} are kept")
        return following

    # From answers to pages

    def _whole(self, answer: Answer, following: Cursor) -> list[bytes] | None:
        """The documents of a page, which may take several answers; None: it goes on in the next one."""
        if not isinstance(self._rule, Continue) or self._rule.complete is None:
            return list(answer.documents)
        self._parts.append(answer.documents)
        size = sum(len(document) for part in self._parts for document in part)
        if len(self._parts) > PARTS or size > self._crawl.limits.body:
            found = f"{len(self._parts)} answers of {size} bytes had no {self._rule.complete!r}"
            raise Stop(f"{found}; correct paginate.complete, or ask for fewer documents")
        if self._rule.is_part(answer) and following is not None:
            return None
        parts, self._parts = self._parts, []
        return merged(parts, self._crawl.names(self._crawl.key) if self._crawl.key else ())

    def _page(self, answer: Answer, cursor: Cursor, documents: list[bytes]) -> Page:
        response, total = answer.response, self._declared(answer)
        self._arrived = len(documents)
        if cursor is None and not isinstance(answer, _End):
            self._watch.see_end(answer, total, is_first=self._cursor is None)
        if self._crawl.cap and self._position + len(documents) >= self._crawl.cap:
            cursor = None
            self._watch.doubt("at-cap")
        return Page(
            documents=documents,
            cursor=cursor,
            total=total,
            status=response.status,
            size=len(response.body),
            seconds=response.seconds,
            digest=digest(documents),
            is_last=cursor is None,
        )

    def _moved_behind(self, page: Page) -> Page | None:
        """On behind a page; None when all of it was delivered before a fall."""
        was_skipping, is_seamless = self._skip > 0, self._rule.is_seamless(self._cursor)
        documents = self._past_delivered(page)
        self._cursor, self._total = page.cursor, page.total
        if was_skipping and not documents and not page.is_last:
            return None
        self._delivered += len(documents)
        self._poisonous = 0
        if len(documents) < len(page.documents):
            page = replace(page, documents=documents, digest=digest(documents))
        page = replace(page, is_seamless=is_seamless, notice=self._notice, doubt=self._watch.doubts())
        self._notice = ""
        return page

    # When a page cannot be had

    @property
    def _is_narrow(self) -> bool:
        return is_object(self._cursor) and NARROW in self._cursor

    def _narrowed(self, fault: Exhausted) -> Page | None:
        """A part of a page that stays away, or, for the one document that is at fault, an empty page that says so."""
        rule, before = self._rule, self._rule.before + self._delivered + self._lost
        narrower = rule.narrower(self._cursor, before) if fault.last.is_sent else None
        if narrower is not None:
            self._cursor = narrower
            return None
        beyond = rule.beyond(self._cursor)
        if beyond is None or not fault.last.is_page or not self._may_set_aside or self._poisonous >= POISONOUS:
            raise fault
        self._poisonous, self._lost = self._poisonous + 1, self._lost + 1
        self._watch.doubt("quarantined")
        lost, self._cursor = Quarantined(self._cursor, str(fault)), beyond
        empty = Page([], beyond, self._total, digest=digest([]), is_seamless=True)
        return replace(empty, doubt=self._watch.doubts(), quarantined=lost)

    # When a cursor has died

    def _fall(self, death: CursorDied) -> None:
        """To the safest position that needs no cursor of the server's."""
        place, count = self._falls
        self._falls = (self._delivered, count + 1 if place == self._delivered else 1)
        fall = self._rule.fall(self._cursor, self._delivered) if isinstance(self._rule, Opaque) else None
        if fall is None or self._falls[1] > FALLS:
            remedy = f"{FALLS} times before at the same place" if fall else "give the crawl's paginate a fallback"
            raise Stop(f"going on from the cursor {quoted(self._cursor)}: {death}; {remedy}") from death
        self._notice = f"{death}; went on {fall.how}, behind {self._delivered} documents"
        if fall.is_unsure:
            self._watch.doubt("moved")
        self._behind = self._watch.restart()
        self._cursor, self._skip, self._parts = fall.cursor, fall.skip, []

    def _past_delivered(self, page: Page) -> Sequence[bytes]:
        """What of a page was not delivered before a fall. If what was ends with the same page, nothing has moved."""
        count = min(self._skip, len(page.documents))
        if self._skip:
            self._skip -= count
            is_there = self._skip == 0 and count == len(page.documents) and page.digest == self._behind
            if not is_there and (self._skip == 0 or page.is_last):
                self._watch.doubt("moved")
        return page.documents[count:]
