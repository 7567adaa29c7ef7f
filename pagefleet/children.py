"""Parent and child: every document of a crawl becomes a request, and its pages are the crawl's, to any depth.

The cursor of such a crawl says how the parent's page is fetched, which of its documents is being followed, and where
that child stands (null: done). It is as small for the millionth child as for the first:

    {"parent": [cursor, delivered, total, digest], "index": 4, "mark": "<digest of the document>", "child": [...], ...}

The parent's page is fetched again on resume. Where its documents have moved meanwhile, the one with the mark counts.
"""

import json
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from msgspec.structs import replace
from pydantic import ValidationError

from pagefleet.crawl import Crawl, Each
from pagefleet.credentials import WHOLE
from pagefleet.decode import is_array, is_object, member, raw_at
from pagefleet.errors import Stop
from pagefleet.fetch import Reply, Send, Wait
from pagefleet.hidden import PLACEHOLDER, is_secret, members, without
from pagefleet.page import LONGEST_CURSOR, Checkpoint, Cursor, Page, Quarantined, encode
from pagefleet.paths import Names
from pagefleet.redaction import quoted
from pagefleet.resume import SHOWN, START, UNSAID, Place, Steps, mark_of, sought, upcoming
from pagefleet.url import joined, origin, safe, with_query
from pagefleet.watch import digest

Alone = Generator[Send | Wait, Reply, Page]


def walk_children(
    crawl: Crawl, each: Each, checkpoint: Checkpoint, walk: Callable[..., Steps], *, may_be_missing: bool
) -> Steps:
    """The pages of all children, in the order of their parents, and an empty last one. `walk` walks one crawl, which
    has no documents if it `may_be_missing` and is."""
    place = Place.of(checkpoint.cursor)
    only_parents = crawl.model_copy(update={"each": None})
    parents = walk(only_parents, place.parent, may_be_missing=may_be_missing, may_set_aside=False)
    said, pages = _Said(), (yield from sought(parents, place))
    start, child, has_moved = place.found(list(pages))
    if has_moved:
        said.doubt("moved")
    while (page := pages.popleft() if pages else (yield from upcoming(parents))) is not None:
        said.note(page)
        for index, parent in enumerate(page.documents[start:], start):
            here = replace(place, index=index, mark=mark_of(parent), child=child or START)
            for_child = walk(child_of(crawl, each, parent), here.child, may_be_missing=True)
            place = yield from _pages(for_child, each, _Parent(parent, crawl.names), here, said)
            child = None
        start = max(0, start - len(page.documents))
        place = Place(_behind(place.parent, page), pointer=place.pointer)
    if place.pointer == UNSAID:
        said.doubt("no-pointer")
    yield said.on(Page([], is_last=True))


def _pages(
    pages: Steps, each: Each, parent: "_Parent", place: Place, said: "_Said"
) -> Generator[Send | Wait | Page, Reply, Place]:
    """The pages of one child; answers the place behind it.

    A child of one page need not say that it is the only one. It is doubtful only if no child ever said that it goes on.
    """
    at = place.child or START
    while (page := (yield from upcoming(pages))) is not None:
        if each.each is not None:
            said.note(page)  # of its children, which it has weighed itself
        elif "no-pointer" in page.doubt.split():
            place = replace(place, pointer=place.pointer or UNSAID)
            said.note(replace(page, doubt=" ".join(word for word in page.doubt.split() if word != "no-pointer")))
        else:
            place = replace(place, pointer=SHOWN if page.cursor is not None else place.pointer)
            said.note(page)
        lost, at = _below(replace(place, child=at), page), _behind(at, page)
        if page.is_last and at.total is not None and at.documents < at.total:
            said.doubt("child-below-total")
        documents = [_including(each, parent, document) for document in page.documents]
        here = replace(place, child=None if page.is_last else at)
        if len(encoded := encode(here.cursor())) > LONGEST_CURSOR:
            found = f"the cursors of its child's page and of its own have {len(encoded)} bytes together"
            raise Stop(f"following a document: {found}, and at most {LONGEST_CURSOR} are kept")
        is_seamless = page.is_seamless and not page.is_last  # behind it is another child
        page = replace(page, documents=documents, cursor=here.cursor(), is_last=False, is_seamless=is_seamless)
        page = replace(page, total=None, quarantined=lost, digest=digest(documents) if each.include else page.digest)
        yield said.on(page)
    return place


def child_alone(
    crawl: Crawl, each: Each, cursor: Cursor, walk: Callable[..., Steps], alone: Callable[..., Alone]
) -> Alone:
    """The one document of a child that could not be had before. Its parent is fetched again, too."""
    place = Place.of(cursor)
    parents = walk(crawl.model_copy(update={"each": None}), place.parent, may_be_missing=True, may_set_aside=False)
    try:
        parent = place.parent_of((yield from sought(parents, place)))
        if parent is None:
            raise Stop(f"its parent is no longer among those of {safe(crawl.url)}, or is another by now")
        page = yield from alone(child_of(crawl, each, parent), place.child or START)
    except Stop as fault:
        lost = Quarantined(cursor, f"trying a document again: {fault}")
        return Page([], digest=digest([]), doubt="quarantined", quarantined=lost)
    documents = [_including(each, _Parent(parent, crawl.names), document) for document in page.documents]
    return replace(page, documents=documents, digest=digest(documents), quarantined=_below(place, page))


def _below(place: Place, page: Page) -> Quarantined | None:
    """What could not be had of a child's page, by a cursor that begins with its parents."""
    if page.quarantined is None:
        return None
    child = replace(place.child or START, cursor=page.quarantined.cursor)
    return replace(page.quarantined, cursor=replace(place, child=child).cursor())


def _behind(at: Checkpoint, page: Page) -> Checkpoint:
    """Documents that could not be had count: they have their places."""
    total = at.total if page.total is None else page.total
    documents = at.documents + len(page.documents) + (page.quarantined is not None)
    return Checkpoint(0, 0, page.cursor, documents, total, page.digest)


class _Said:
    """Doubts and notices of pages that are not passed on, such as the parent's, for the next one that is."""

    def __init__(self) -> None:
        self._doubts: list[str] = []
        self._notice = ""

    def note(self, page: Page) -> None:
        for doubt in page.doubt.split():
            self.doubt(doubt)
        self._notice = page.notice or self._notice

    def doubt(self, word: str) -> None:
        if word not in self._doubts:
            self._doubts.append(word)

    def on(self, page: Page) -> Page:
        page = replace(page, doubt=" ".join(self._doubts), notice=self._notice)
        self._doubts, self._notice = [], ""
        return page


@dataclass(frozen=True, slots=True)
class _Parent:
    """A document that is followed, and how a path into it is read."""

    document: bytes
    names: Callable[[str], Names]

    def text(self, path: str) -> str | None:
        return member(self.document, self.names(path))

    def raw(self, path: str) -> bytes | None:
        return raw_at(self.document, self.names(path))


def child_of(crawl: Crawl, each: Each, document: bytes) -> Crawl:
    """The crawl of one document's child.

    What a document says is never looked up as a secret. A URL out of a document stays on the parent's origin, or on
    those that the crawl lists; a child elsewhere goes without the parent's credentials.
    """
    parent = _Parent(document, crawl.names)
    filled = {name: str(value) for name, value in each.params.items() if PLACEHOLDER.search(str(value))}
    plain = {name: value for name, value in each.params.items() if name not in filled}
    url = joined(crawl.url, _expanded(each.url, parent, is_url=True))
    query = [(name, _expanded(value, parent)) for name, value in filled.items()]
    body = each.body
    is_home, is_written = origin(url) == origin(crawl.url), WHOLE.match(each.url) is not None
    if not is_home and not is_written and origin(url) not in {origin(one) for one in crawl.origins}:
        raise Stop(
            f"following a document of {safe(crawl.url)}: it leads to {safe(url)}, on another origin; if that is right, "
            f"list it in the crawl: origins = [{quoted(origin(url))}]"
        )
    if not is_home and not is_written:  # a document has chosen the origin; secrets of `each` are not for that
        plain = {name: value for name, value in plain.items() if not is_secret(value)}
        body = without(body, members(body))
    said = each.model_dump(by_alias=True, exclude={"include", "params", "url", "body"}) | {
        "url": with_query(url, query),
        "params": {**(crawl.secret_params if is_home else {}), **plain},
        "headers": crawl.headers if is_home else {},
        "body": _filled(body, parent),
        "origins": crawl.origins,
        "limits": crawl.limits,
    }
    try:
        return Crawl.model_validate(said)
    except ValidationError as error:
        fault = error.errors()[0]["msg"]
        place = f"following a document of {safe(crawl.url)} to {safe(url)}"
        raise Stop(f"{place}: {fault}; correct the crawl's each") from error


def _expanded(template: str, parent: _Parent, *, is_url: bool = False) -> str:
    """`{path}` filled in; percent-encoded in a URL, unless it is the URL's beginning."""

    def value(path: str) -> str:
        found = parent.text(path)
        if found is None:
            raise Stop(f"following a document: it has no {path!r} for {template!r}: {parent.document[:80]!r}")
        if is_url and found in ("", ".", ".."):
            raise Stop(f"following a document: its {path!r} is {found!r}, which leads elsewhere than {template!r}")
        return found

    text = ""
    for number, part in enumerate(PLACEHOLDER.split(template)):
        is_literal = number % 2 == 0
        said = part if is_literal else value(part)
        text += said if is_literal or not is_url or not text else quote(said, safe="")
    return text


def _filled(body: Any, parent: _Parent) -> Any:
    if isinstance(body, str):
        text = _expanded(body, parent)
        if text != body and is_secret(text):
            raise Stop(f"following a document: what it says for {body!r} reads like a secret's name: {quoted(text)}")
        return text
    if is_object(body):
        return {name: _filled(value, parent) for name, value in body.items()}
    return [_filled(value, parent) for value in body] if is_array(body) else body


def _including(each: Each, parent: _Parent, document: bytes) -> bytes:
    """A child's document with members of its parent in front, the rest as it was sent."""
    if not each.include or document[:1] != b"{":
        return document
    front: list[bytes] = []
    for name, path in each.include.items():
        if raw_at(document, (name,)) is not None:
            raise Stop(f"including {path!r} of the parent as {name!r}: the document has that already; use another name")
        front.append(b"%s:%s" % (json.dumps(name).encode(), parent.raw(path) or b"null"))
    rest = document[1:].lstrip()
    return b"{" + b",".join(front) + (b"," if rest[:1] != b"}" else b"") + document[1:]
