"""Paginators that count: by documents, by pages, or not at all."""

from typing import Any, Literal

from pydantic import Field, model_validator

from pagefleet.page import Cursor, Request, Response
from pagefleet.paginators.places import Found, Put, in_body, put
from pagefleet.paginators.rule import PAST_THE_END, Answer, Rule, number


class _Counting(Rule):
    def is_past_end(self, response: Response, delivered: int, total: int | None) -> bool:
        if super().is_past_end(response, delivered, total):
            return True
        return response.status in PAST_THE_END and total is not None and delivered >= total

    def is_said(self, answer: Answer) -> bool:
        return True


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

    def request(self, first: Request, cursor: Cursor) -> Request:
        return put(first, {self.param: self._at(cursor), **sized(self.limit_param, self.limit)})

    def after(self, cursor: Cursor, answer: Answer) -> Cursor:
        return self._at(cursor) + len(answer.documents) if answer.documents else None

    def is_clamped(self, cursor: Cursor, count: int, total: int | None) -> bool:
        done = self._at(cursor) - self.start
        return done > count or (total is not None and done >= total)

    def at(self, delivered: int) -> tuple[Cursor, int]:
        """The cursor that goes on behind so many documents, and how many of its page were among them."""
        return self.start + delivered, 0

    def _at(self, cursor: Cursor) -> int:
        return self.start if cursor is None else int(cursor)


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

    def request(self, first: Request, cursor: Cursor) -> Request:
        return put(first, {self.param: self._at(cursor), **sized(self.size_param, self.size)})

    def after(self, cursor: Cursor, answer: Answer) -> Cursor:
        following = self._at(cursor) + 1
        pages = number(answer.find(self.pages)) if self.pages else None
        if pages is not None:
            return following if following - self.start < pages else None
        return following if answer.documents else None

    def is_clamped(self, cursor: Cursor, count: int, total: int | None) -> bool:
        done = self._at(cursor) - self.start
        return done > 1 or (total is not None and done * count >= total)

    def at(self, delivered: int) -> tuple[Cursor, int]:
        """The cursor that goes on behind so many documents, and how many of its page were among them."""
        size = self.size or 1
        return self.start + delivered // size, delivered % size

    def _at(self, cursor: Cursor) -> int:
        return self.start if cursor is None else int(cursor)


class Single(Rule):
    """There is one page. Say so, and nothing is missed by mistake."""

    kind: Literal["none"] = "none"

    def is_said(self, answer: Answer) -> bool:
        return True


def sized(place: str | None, size: int | None) -> dict[str, Any]:
    """How many documents to ask for, where that goes."""
    return {place: size} if place and size else {}


def check_both(param: str, name: str | None, field: str, value: int | None) -> None:
    """Raises `ValueError` when one is given without the other."""
    if (name is None) != (value is None):
        raise ValueError(f"{param} and {field} go together: the parameter's name, and what it says")
