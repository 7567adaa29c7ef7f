"""Paginators that count: by documents, by pages, or not at all.

A page that can never be had is asked for in parts where the size can be chosen, down to the one document that is at
fault. The cursor is then `{"$narrow": [position, width, end]}`: `width` documents from `position` on, until `end`.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pagefleet.decode import is_array, is_object
from pagefleet.page import Cursor, Request, Response
from pagefleet.paginators.places import Found, Put, in_body, put
from pagefleet.paginators.rule import PAST_THE_END, Answer, Rule, is_count, number

NARROW = "$narrow"


class Span(BaseModel):
    """A range of pages: from page `first` to before page `behind` (None: to the end), counted from 0, of `of` documents
    each."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    first: int
    behind: int | None
    of: int


class _Counting(Rule):
    """Positions count documents from 0, whatever the parameter counts, and wherever its span begins."""

    param: Put
    start: int
    span: Span | None = None
    """What of the pages a slice has; None: all of them."""
    window: int = Field(default=1, gt=0, le=64)
    """Pages that may be asked for at once. They arrive in order all the same; how many it is adapts to the server."""

    def ahead(self, cursor: Cursor, position: int, count: int, total: int | None) -> list[Cursor]:
        if is_object(cursor) or not count:
            return []
        places = [position + count * n for n in range(1, self.window) if total is None or position + count * n < total]
        return [self._after(cursor, n, count) for n, _ in enumerate(places, 1)]

    @property
    def before(self) -> int:
        return self.span.first * self.span.of if self.span else 0

    def within(self, total: int | None) -> int | None:
        if self.span is None or self.span.behind is None:
            return total
        end = self.span.behind * self.span.of
        return end if total is None else min(total, end)

    @property
    def _begin(self) -> int:
        """What the parameter says of the first page."""
        raise NotImplementedError

    @property
    def _end(self) -> int | None:
        """The position behind the last document of the span, as `_position` has it; None: it has no end."""
        raise NotImplementedError

    def next(self, cursor: Cursor, answer: Answer) -> Cursor:
        following = super().next(cursor, answer)
        is_over = following is not None and self._end is not None and self._place(following) >= self._end
        return None if is_over else following

    def _place(self, cursor: Cursor) -> int:
        """The position of a cursor of either kind."""
        return int(cursor[NARROW][0]) if is_object(cursor) else self._position(cursor)

    def _after(self, cursor: Cursor, pages: int, count: int) -> Cursor:
        """So many pages of so many documents behind a cursor."""
        raise NotImplementedError

    def _sized(self) -> tuple[str | None, int | None]:
        """How many documents to ask for: where that goes, and what it says."""
        raise NotImplementedError

    def _said(self, position: int, width: int) -> int:
        """What the parameter says to ask for the documents from a position on."""
        raise NotImplementedError

    def _position(self, cursor: Cursor) -> int:
        """Of the first document of a cursor's page."""
        raise NotImplementedError

    def fits(self, cursor: Cursor) -> bool:
        if is_object(cursor):
            return cursor.keys() == {NARROW} and self._is_narrow(cursor[NARROW])
        return cursor is None or (isinstance(cursor, int) and not isinstance(cursor, bool))

    def _is_narrow(self, said: Any) -> bool:
        size = self._sized()[1]
        if size is None or not is_array(said) or len(said) != len(("position", "width", "end")):
            return False
        if not all(map(is_count, said)):
            return False
        position, width, end = said
        return bool(width > 0 and size % width == 0 and position < end <= position + size)

    def request(self, first: Request, cursor: Cursor) -> Request:
        place, size = self._sized()
        if is_object(cursor):
            position, size, _ = cursor[NARROW]
            said = self._said(position, size)
        else:
            said = self._begin if cursor is None else int(cursor)
        return put(first, {self.param: said, **sized(place, size)})

    def is_past_end(self, response: Response, delivered: int, total: int | None) -> bool:
        if super().is_past_end(response, delivered, total):
            return True
        return response.status in PAST_THE_END and total is not None and delivered >= total

    def is_said(self, answer: Answer) -> bool:
        return True

    def is_seamless(self, cursor: Cursor) -> bool:
        return is_object(cursor)

    def narrower(self, cursor: Cursor, before: int) -> Cursor:
        place, size = self._sized()
        if place is None or size is None:
            return None
        position, width, end = cursor[NARROW] if is_object(cursor) else (self._position(cursor), size, 0)
        if width == 1:
            return None
        return {NARROW: [position, _divided(width), end or position + size]}

    def beyond(self, cursor: Cursor) -> Cursor:
        if not is_object(cursor) or cursor[NARROW][1] != 1:
            return None
        position, _, end = cursor[NARROW]
        return self._onward(position + 1, end)

    def _onward(self, position: int, end: int, width: int | None = None) -> Cursor:
        """On in parts that are as wide as can be, or in whole pages behind the end."""
        size = self._sized()[1] or 1
        if position >= end:
            return self._said(position, size)
        widths = (n for n in range(size, 0, -1) if size % n == 0 and position % n == 0 and position + n <= end)
        return {NARROW: [position, width or next(widths), end]}


class Offset(_Counting):
    """`param` counts documents, from `start`; it steps by what arrived, not by what was asked. An empty page is the
    end."""

    kind: Literal["offset"] = "offset"
    param: Put = "offset"
    start: int = 0
    limit_param: Put | None = None
    limit: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _agrees(self) -> "Offset":
        check_both("limit_param", self.limit_param, "limit", self.limit)
        return self

    def _sized(self) -> tuple[str | None, int | None]:
        return self.limit_param, self.limit

    def _said(self, position: int, width: int) -> int:
        return self.start + position

    def _position(self, cursor: Cursor) -> int:
        return (self._begin if cursor is None else int(cursor)) - self.start

    @property
    def _begin(self) -> int:
        return self.start + self.before

    @property
    def _end(self) -> int | None:
        return self.span.behind * self.span.of if self.span and self.span.behind is not None else None

    def fresh(self, cursor: Cursor, documents: list[bytes]) -> list[bytes]:
        """Those before the end of the span: pages may have become larger than they were when it was laid out."""
        return documents if self._end is None else documents[: max(0, self._end - self._place(cursor))]

    def after(self, cursor: Cursor, answer: Answer) -> Cursor:
        if not answer.documents:
            return None
        if is_object(cursor):
            position, width, end = cursor[NARROW]
            return self._onward(position + len(answer.documents), end, width)
        return self._said(self._position(cursor) + len(answer.documents), 1)

    def _after(self, cursor: Cursor, pages: int, count: int) -> Cursor:
        return self._said(self._position(cursor) + pages * count, 1)

    def is_seamless(self, cursor: Cursor) -> bool:
        return True

    def is_clamped(self, cursor: Cursor, count: int, total: int | None) -> bool:
        done = 0 if is_object(cursor) else self._position(cursor)
        return done > count or (total is not None and done >= total)

    def at(self, delivered: int) -> tuple[Cursor, int]:
        """The cursor that goes on behind so many documents, and how many of its page were among them."""
        return self.start + delivered, 0


class PageNumber(_Counting):
    """`param` counts pages, from `start`. An empty page is the end, or the last one where `pages` says how many."""

    kind: Literal["page"] = "page"
    param: Put = "page"
    start: int = 1
    size_param: Put | None = None
    size: int | None = Field(default=None, gt=0)
    pages: Found | None = None

    @model_validator(mode="after")
    def _agrees(self) -> "PageNumber":
        check_both("size_param", self.size_param, "size", self.size)
        return self

    def members(self) -> tuple[str, ...]:
        return (*super().members(), *in_body(self.pages))

    def _sized(self) -> tuple[str | None, int | None]:
        return self.size_param, self.size

    def _said(self, position: int, width: int) -> int:
        return self.start + position // width

    def _position(self, cursor: Cursor) -> int:
        return ((self._begin if cursor is None else int(cursor)) - self.start) * (self.size or 1)

    @property
    def _begin(self) -> int:
        return self.start + (self.span.first if self.span else 0)

    @property
    def _end(self) -> int | None:
        return self.span.behind * (self.size or 1) if self.span and self.span.behind is not None else None

    def fresh(self, cursor: Cursor, documents: list[bytes]) -> list[bytes]:
        """None of a page behind the span, which is asked for only behind a document that could not be had."""
        return documents if self._end is None or self._place(cursor) < self._end else []

    def after(self, cursor: Cursor, answer: Answer) -> Cursor:
        if is_object(cursor):
            position, width, end = cursor[NARROW]
            return self._onward(position + width, end, width) if answer.documents else None
        following = (self._begin if cursor is None else int(cursor)) + 1
        pages = number(answer.find(self.pages)) if self.pages else None
        if pages is not None:
            return following if following - self.start < pages else None
        return following if answer.documents else None

    def _after(self, cursor: Cursor, pages: int, count: int) -> Cursor:
        return (self._begin if cursor is None else int(cursor)) + pages

    def narrower(self, cursor: Cursor, before: int) -> Cursor:
        """Pages of a server that does not keep to the size are at other positions than is thought: not of these."""
        is_elsewhere = not is_object(cursor) and self._position(cursor) != before
        return None if is_elsewhere else super().narrower(cursor, before)

    def may_skip(self, cursor: Cursor, before: int) -> bool:
        """Pages before it were shorter than was asked for, and nobody knows whether it begins where they ended."""
        return self.size is not None and not is_object(cursor) and before < self._position(cursor)

    def is_clamped(self, cursor: Cursor, count: int, total: int | None) -> bool:
        done = 0 if cursor is None or is_object(cursor) else int(cursor) - self.start
        return done > 1 or (total is not None and done > 0 and done * count >= total)

    def at(self, delivered: int) -> tuple[Cursor, int]:
        """The cursor that goes on behind so many documents, and how many of its page were among them."""
        size = self.size or 1
        return self.start + delivered // size, delivered % size


class Single(Rule):
    """There is one page. Say so, and nothing is missed by mistake."""

    kind: Literal["none"] = "none"

    def is_said(self, answer: Answer) -> bool:
        return True


def sized(place: str | None, size: int | None) -> dict[str, Any]:
    """How many documents to ask for, where that goes."""
    return {place: size} if place and size else {}


def _divided(width: int) -> int:
    """By its smallest prime, so that parts fill the whole."""
    return width // next(prime for prime in range(2, width + 1) if width % prime == 0)


def check_both(param: str, name: str | None, field: str, value: int | None) -> None:
    """Raises `ValueError` when one is given without the other."""
    if (name is None) != (value is None):
        raise ValueError(f"{param} and {field} go together: the parameter's name, and what it says")
