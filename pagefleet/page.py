"""What passes between the parts: requests, responses, pages, checkpoints, documents. All values, no behaviour.

They are msgspec's structs, which are made in a tenth of the time that dataclasses take.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field

Cursor = Any
"""An opaque position within a slice, a JSON value. None is the start when asked with, and the end when answered."""
LONGEST_CURSOR = 65_536
"""Bytes. It is stored with the slice, and twice in each row of the ledger."""
BEFORE_ALL = "0-0"
"""Place of no document, before the first one of a slice."""


class Document(bytes):
    """One record, as the very bytes that the server sent.

    `id` is its place in the crawl, `<page number>-<index>`, the same however often the page was fetched.
    """

    id: str = ""
    key: str | None = None

    def json(self) -> Any:
        """The record as Python objects; floats and large exponents lose here, never in the bytes."""
        return json.loads(self)


class Request(Struct, frozen=True):
    """What to ask. Values of headers, `secrets` and `hidden` may name secrets (`env:NAME`), looked up at send."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
    """Parameters that join the query at send. Nothing in `url` is looked up: a server has a say in it."""
    hidden: Mapping[tuple[str, ...], str] = field(default_factory=dict[tuple[str, ...], str])
    """Members that join the JSON body at send, by their paths; the same holds for `body`."""


class Response(Struct, frozen=True):
    """What came back: `url` is the request's, without its secrets; `body` is decompressed and within the limits;
    header names are in lower case."""

    status: int
    url: str
    headers: Mapping[str, str]
    body: bytes
    seconds: float = 0.0

    def json(self) -> Any:
        """The body as Python objects."""
        return json.loads(self.body)


class Page(Struct, frozen=True):
    """One response's documents, in order, and the cursor that the next page is fetched with (None: the end).

    A source written in Python yields `Page(documents, cursor)`, where a document is anything that JSON can hold,
    or bytes that are JSON already. Pages that leave `pages()` hold bytes only, and the rest is filled in.
    """

    documents: Sequence[Any]
    cursor: Cursor = None
    total: int | None = None
    status: int = 200
    size: int = 0
    """Bytes of the body, decompressed."""
    seconds: float = 0.0
    digest: str = ""
    """Of the documents, in order: two pages with one digest hold the same documents."""
    is_last: bool = False
    """Nothing follows. A Python source ends by returning, so there it stands on an empty page of its own."""
    doubt: str = ""
    """What speaks against the crawl's being whole, words of `verdict.DOUBTS` with blanks between them."""
    quarantined: "Quarantined | None" = None
    """The one document that this page should hold, and that could not be had; it holds none then."""
    is_seamless: bool = False
    """What follows begins with the very next document, however many this page holds: its cursor is a position."""
    notice: str = ""
    """What happened on the way to this page that its readers should know of: a cursor died, and how it went on."""


class Quarantined(Struct, frozen=True):
    """A document that could not be had: `cursor` fetches it alone, `reason` is what came of that."""

    cursor: Cursor
    reason: str


class Checkpoint(Struct, frozen=True):
    """Where a slice stands: everything before (`page`, `index`) is delivered.

    `page` counts from 1; `index` is above 0 when a large page was committed in part; `cursor` fetches that page;
    `documents` were delivered before (`page`, `index`), of `total` as the source last declared it (None: unknown);
    `digest` is that of the page before, or, in the middle of a page, of that page's documents up to there.
    """

    page: int = 1
    index: int = 0
    cursor: Cursor = None
    documents: int = 0
    total: int | None = None
    digest: str = ""


def encode(cursor: Cursor) -> str:
    """A cursor as it stands in Redis: one JSON value has one text, for cursors are compared."""
    return _encode(cursor)


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
"""ASCII, for JSON can hold half a surrogate pair. Made once, since that takes longer than to encode a cursor."""
