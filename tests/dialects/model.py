"""What a model of an API is: an object that answers requests as the API would, its pitfalls and its refusals included.

A model is a pure function of what it is asked, and, where the API keeps cursors, of what it was asked before. It is
stricter than most APIs: it refuses a parameter that it does not know, so that a test sees what should not be sent.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import urlencode

TAIL = "+/=="
"""Stands behind the number in a token, to be escaped on its way back."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; names of headers are in lower case, `origin` is where the server thinks that it is."""

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    origin: str = ""

    def params(self, *known: str, need: Sequence[str] = ()) -> dict[str, str]:
        """The parameters of the query; raises `Refused` if one is unknown, missing or given twice."""
        return _only(self.query, known, need)

    def json(self, *known: str, need: Sequence[str] = ()) -> dict[str, Any]:
        """The members of the body, of which these are known."""
        if self.headers.get("content-type", "").split(";")[0] not in ("application/json", "application/x-amz-json-1.0"):
            raise Refused(415, "the content type is not JSON")
        members: dict[str, Any] = json.loads(self.body)
        return _only(list(members.items()), known, need)

    def link(self, **params: Any) -> str:
        """This request's URL, with these parameters in place of its own."""
        return f"{self.origin}{self.path}?{urlencode({**dict(self.query), **params})}"


def _only(given: Sequence[tuple[str, Any]], known: Sequence[str], need: Sequence[str]) -> dict[str, Any]:
    found = dict(given)
    if surplus := found.keys() - {*known, *need}:
        raise Refused(400, f"unknown: {sorted(surplus)}")
    if missing := set(need) - found.keys():
        raise Refused(400, f"missing: {sorted(missing)}")
    if len(found) < len(given):
        raise Refused(400, "given twice")
    return found


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer; status 0 is a connection that is closed instead."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class Refused(Exception):
    """What the API says to a request that it does not like."""

    def __init__(self, status: int, body: str = "no") -> None:
        super().__init__(body)
        self.status = status


def said(value: Any, headers: Mapping[str, str] | None = None, *, status: int = 200) -> Answered:
    """An answer in JSON."""
    return Answered(json.dumps(value).encode(), status, {"Content-Type": "application/json", **(headers or {})})


def number(text: Any, least: int, most: int) -> int:
    """A number within its limits, else the request is refused."""
    if not str(text).isdecimal() or not least <= int(text) <= most:
        raise Refused(400, f"{text} is not within {least} and {most}")
    return int(text)


def token(position: int) -> str:
    """An opaque cursor."""
    return f"{position}{TAIL}"


def position(text: Any) -> int:
    """Where an opaque cursor stands; one that is none is refused."""
    if not isinstance(text, str) or not text.endswith(TAIL):
        raise Refused(400, f"invalid cursor {text!r}")
    return int(text.removesuffix(TAIL))


class Model(ABC):
    """An API with one collection of `count` documents."""

    page: ClassVar[int]
    """Documents of a page, asked as the preset asks."""
    answers: ClassVar[int] = 1
    """So many it takes to have a page."""
    path: ClassVar[str]
    method: ClassVar[str] = "GET"
    secret: ClassVar[tuple[str, str] | None] = None
    """A header that must be there, and its value."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.asked: list[Asked] = []
        self.is_known = False
        """Are the cursors that were given out still good? To APIs that keep them."""

    def forget(self) -> None:
        """All cursors."""
        self.is_known = False

    @abstractmethod
    def answer(self, asked: Asked) -> Answered:
        """To a request for the collection."""

    def document(self, number: int) -> Any:
        """What a crawl gets to see of one document."""
        return {"id": number}

    def documents(self, start: int = 0, size: int | None = None) -> list[Any]:
        """A part of the collection, in its order."""
        end = self.count if size is None else min(start + size, self.count)
        return [self.document(number) for number in range(start, end)]

    def __call__(self, asked: Asked) -> Answered:
        self.asked.append(asked)
        try:
            if self.secret and asked.headers.get(self.secret[0].lower()) != self.secret[1]:
                raise Refused(401, "who are you?")
            return self.routed(asked)
        except Refused as refusal:
            return said({"refused": str(refusal)}, status=refusal.status)

    def routed(self, asked: Asked) -> Answered:
        """Of an API with one URL."""
        if (asked.method, asked.path) != (self.method, self.path):
            raise Refused(404, f"no such thing: {asked.method} {asked.path}")
        return self.answer(asked)
