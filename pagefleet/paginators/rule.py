"""What all paginators share: an answer as they see it, and how its end and its errors are told apart."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeGuard

from msgspec import Struct, field
from pydantic import AfterValidator, BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from pagefleet.decode import value_at
from pagefleet.page import Cursor, Request, Response
from pagefleet.paginators.places import Found, in_body, split
from pagefleet.paths import Names, parse_path

PAST_THE_END = frozenset({204, 400, 404, 416, 422})
"""What servers answer when asked for a page behind the last one."""


class Answer(Struct, frozen=True):
    """What a paginator may know of a page: its response, its documents, the members asked for.

    `delivered` counts the documents of all pages before this one, `dropped` those of this one that were delivered
    before (`Rule.fresh`); `names` reads a path into a document.
    """

    response: Response
    documents: Sequence[bytes] = ()
    members: Mapping[str, Any] = field(default_factory=dict[str, Any])
    delivered: int = 0
    dropped: int = 0
    names: Callable[[str], Names] = parse_path

    def find(self, place: str) -> Any:
        """The value at a place; None when nothing is there."""
        kind, name = split(place, "header|last")
        if kind == "header":
            return self.response.headers.get(name.lower())
        if kind == "last":
            return value_at(self.documents[-1], self.names(name)) if self.documents else None
        return self.members.get(place)

    def has(self, place: str) -> bool:
        """Is anything there, be it null?"""
        return place in self.members or self.find(place) is not None


def is_true(value: Any) -> bool:
    """Headers and XML say `false` in letters."""
    return value.strip().lower() not in ("", "false", "0", "no") if isinstance(value, str) else bool(value)


def number(value: Any) -> int | None:
    """A count, if it is one; some servers write it as text, and -1 for one that they do not know."""
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,18}\s*", value):
        return int(value)
    return value if is_count(value) else None


def _sign(text: str) -> str:
    if not re.fullmatch(r"[1-5]\d\d( .+)?", text):
        raise ValueError('write a status, and text that its body must contain: "404" or "400 no such page"')
    return text


Sign = Annotated[str, AfterValidator(_sign)]
"""How a kind of answer is recognised: by its status, and, behind a blank, by text in its body."""


def shows(signs: Sequence[str], response: Response) -> bool:
    """Is the response one of these?"""
    for sign in signs:
        status, _, text = sign.partition(" ")
        if int(status) == response.status and text.encode() in response.body:
            return True
    return False


def is_count(value: Any) -> TypeGuard[int]:
    """Is it a whole number, and not negative?"""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


class Rule(BaseModel):
    """A paginator. Frozen; part of a crawl's description."""

    model_config = ConfigDict(
        defer_build=True, frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True
    )

    more: Found | None = None
    """Where an answer says whether there is more; false or missing: this was the last page."""
    done: Found | None = None
    """The opposite: true is the last page."""
    past_end: tuple[Sign, ...] = ()
    """Answers that are no errors but the end: what the server says behind its last page."""

    @model_serializer(mode="wrap")
    def _with_kind(self, said: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The kind is said even where defaults are left out: it is what tells two rules apart."""
        return {"kind": self.__class__.model_fields["kind"].default, **said(self)}

    def members(self) -> tuple[str, ...]:
        """Paths in the body that `next` needs."""
        return in_body(self.more, self.done)

    def fits(self, cursor: Cursor) -> bool:
        """Could this JSON value be the cursor of a page?"""
        return cursor is None

    def request(self, first: Request, cursor: Cursor) -> Request:
        """What fetches the page of a cursor; None: the first page."""
        return first

    def next(self, cursor: Cursor, answer: Answer) -> Cursor:
        """The cursor behind an answer; None: there is nothing more."""
        if self.more and not is_true(answer.find(self.more)):
            return None
        if self.done and is_true(answer.find(self.done)):
            return None
        return self.after(cursor, answer)

    def after(self, cursor: Cursor, answer: Answer) -> Cursor:
        """The same, for an answer that does not say whether it is the last."""
        return None

    @property
    def before(self) -> int:
        """Documents of the source before the first page."""
        return 0

    def within(self, total: int | None) -> int | None:
        """Documents of the source before the last page's end, if there are `total` in all; None: nobody knows."""
        return total

    def ahead(self, cursor: Cursor, position: int, count: int, total: int | None) -> list[Cursor]:
        """The cursors that should follow this one, whose page has so many documents before it, if each page holds
        `count` and all of them `total`: they may be asked for before this page is there."""
        return []

    def fresh(self, cursor: Cursor, documents: list[bytes]) -> list[bytes]:
        """Those of a page's documents that were not on the page before."""
        return documents

    def is_said(self, answer: Answer) -> bool:
        """Of a page that is the last: does it say so, rather than say nothing?"""
        return any(place and answer.has(place) for place in (self.more, self.done))

    def is_past_end(self, response: Response, delivered: int, total: int | None) -> bool:
        """Is this the server's way to say that the cursor is behind the last page?"""
        return shows(self.past_end, response)

    def is_repeat(self, cursor: Cursor, following: Cursor, count: int) -> bool:
        """Does the cursor that an answer names show that the server goes round in a circle?"""
        return bool(following == cursor)

    def is_seamless(self, cursor: Cursor) -> bool:
        """Does the page behind this one begin with the very next document, however many this one holds?"""
        return False

    def narrower(self, cursor: Cursor, before: int) -> Cursor:
        """A cursor for a part of a page that could not be had, with so many documents before it; None: there is none,
        or this is as narrow as can be asked for."""
        return None

    def beyond(self, cursor: Cursor) -> Cursor:
        """The cursor behind the single document that this one asks for; None: it asks for more than one."""
        return None

    def may_skip(self, cursor: Cursor, before: int) -> bool:
        """Of a page with so many documents before it: may there be others between?"""
        return False

    def is_clamped(self, cursor: Cursor, count: int, total: int | None) -> bool:
        """Of a page with the very documents of the page before: is it the last page, given again for one behind it?"""
        return False
