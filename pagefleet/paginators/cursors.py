"""Paginators by a cursor that the server names: from anywhere in an answer to anywhere in the next request."""

from collections.abc import Mapping
from typing import Any, Literal

import httpx
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pagefleet.decode import is_array, is_object
from pagefleet.errors import Stop
from pagefleet.page import Cursor, Request
from pagefleet.paginators.opaque import Opaque
from pagefleet.paginators.places import (
    Found,
    Put,
    Value,
    in_body,
    is_structured,
    put,
    split,
    with_own_body,
    with_params,
)
from pagefleet.paginators.rule import Answer
from pagefleet.redaction import quoted
from pagefleet.url import joined, safe


class Then(BaseModel):
    """How requests with a cursor differ from the first one."""

    model_config = ConfigDict(defer_build=True, frozen=True, extra="forbid")

    url: str | None = None
    """Another URL, whole or relative to the first; parameters of the first go along only where `keep` names them."""
    method: Literal["GET", "POST"] | None = None
    params: Mapping[str, Value | bool] = Field(default_factory=dict)
    """More parameters."""
    body: dict[str, Any] | None = None
    """Another JSON body."""


class NextCursor(Opaque):
    """A cursor at `next` goes into `param` of the next request; `carry` names more values that go the same way.

    The end is a cursor that is missing, null, false, 0 or empty, or what `more` and `done` say. A cursor may be an
    array or an object if it goes into JSON.
    """

    kind: Literal["cursor"] = "cursor"
    next_path: Found = Field(default="next_cursor", alias="next")
    param: Put = "cursor"
    start: Value | None = None
    """The cursor of the first page, where one must be given."""
    carry: Mapping[Put, Found] = Field(default_factory=dict)
    keep: tuple[str, ...] | None = None
    """Of the first request's parameters, those that go with a cursor; left out: all, or none with `then.url`."""
    then: Then | None = None
    repeated: Literal["goes-on", "end"] = "goes-on"
    """What it means that an answer names the cursor that it was asked with."""
    empty: Literal["goes-on", "end"] = "goes-on"
    """What a page without documents means."""

    @model_validator(mode="after")
    def _agrees(self) -> "NextCursor":
        if self.param in self.carry:
            raise ValueError(f"carry puts something else where the cursor goes, {self.param!r}")
        return self

    def members(self) -> tuple[str, ...]:
        return (*super().members(), *in_body(self.next_path, *self.carry.values()))

    def owns(self, cursor: Cursor) -> bool:
        if not self.carry:
            return self._fits(cursor)
        places = {self.param, *self.carry}
        return is_object(cursor) and {self.param} <= cursor.keys() <= places and self._fits(cursor[self.param])

    def ask(self, first: Request, cursor: Cursor) -> Request:
        if cursor is None:
            return first if self.start is None else put(first, {self.param: self.start})
        return put(self._later(first), cursor if self.carry else {self.param: cursor})

    def _later(self, first: Request) -> Request:
        then = self.then or Then()
        if self.keep is not None or then.url is not None:
            params = httpx.URL(first.url).params
            kept = {name: params.get_list(name) for name in self.keep or () if name in params}
            url = httpx.URL(joined(first.url, then.url)) if then.url else httpx.URL(first.url).copy_with(query=None)
            first = with_params(replace(first, url=str(url)), kept)
        if then.body is not None:
            first = with_own_body(first, then.body)
        elif then.method == "GET":
            first = replace(first, body=None)
        return with_params(replace(first, method=then.method or first.method), then.params)

    def after(self, cursor: Cursor, answer: Answer) -> Cursor:
        found = answer.find(self.next_path)
        is_none = not found and not self._is_id(found)
        if is_none and not self.more:
            return None
        if is_none or not self._fits(found):
            place = safe(answer.response.url)
            found = quoted(found)
            raise Stop(f"reading {place}: {self.next_path!r} holds no cursor but {found}; correct paginate.next")
        asked = self.start if cursor is None else cursor[self.param] if self.carry else cursor
        is_over = (self.repeated == "end" and found == asked) or (self.empty == "end" and not answer.documents)
        if is_over:
            return None
        carried = {place: value for place in self.carry if (value := self._carried(place, answer)) is not None}
        return {self.param: found, **carried} if self.carry else found

    def _carried(self, place: str, answer: Answer) -> Any:
        where = self.carry[place]
        value: Any = answer.find(where)
        if (is_object(value) or is_array(value)) and not is_structured(place):
            said = f"{where!r} holds {quoted(value)}, which cannot be put into {place!r}"
            raise Stop(f"reading {safe(answer.response.url)}: {said}; correct paginate.carry")
        return value

    def _is_id(self, found: Any) -> bool:
        """A document's number may be 0; where the server names a cursor, that is none."""
        return split(self.next_path, "last")[0] != "" and found is not False and found == 0

    def _fits(self, found: Any) -> bool:
        if isinstance(found, str):  # half an emoji has no bytes
            return found.isascii() or not any("\ud800" <= char <= "\udfff" for char in found)
        if isinstance(found, dict | list):
            return is_structured(self.param)
        return isinstance(found, int | float) and not isinstance(found, bool)

    def is_pointed(self, answer: Answer) -> bool:
        return answer.has(self.next_path) or self.empty == "end"


class Continue(Opaque):
    """All members of the object at `next` become parameters of the next request (MediaWiki).

    With `complete`, answers up to one that has a member there are parts of one page: documents with the same key are
    merged. The end is an answer without the object.
    """

    kind: Literal["continue"] = "continue"
    next_path: Found = Field(default="continue", alias="next")
    complete: Found | None = None

    def members(self) -> tuple[str, ...]:
        return (*super().members(), *in_body(self.next_path, self.complete))

    def owns(self, cursor: Cursor) -> bool:
        return is_object(cursor) and len(cursor) > 0

    def ask(self, first: Request, cursor: Cursor) -> Request:
        return first if cursor is None else with_params(first, cursor)

    def after(self, cursor: Cursor, answer: Answer) -> Cursor:
        found = answer.find(self.next_path)
        if found and (not is_object(found) or any(isinstance(value, dict | list) for value in found.values())):
            place = safe(answer.response.url)
            raise Stop(f"reading {place}: {self.next_path!r} holds no parameters but {quoted(found)}")
        return found or None

    def is_part(self, answer: Answer) -> bool:
        """Does the page go on in the next answer?"""
        return self.complete is not None and not answer.has(self.complete)
