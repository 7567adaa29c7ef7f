"""Paginators: pure rules from a request and its answer to the next request, or to the end. They never wait.

A paginator is frozen and is part of a crawl's description (`paginate = {kind = "offset", ...}`). It is asked for two
things: the request of a cursor (`request`), and the cursor that follows an answer (`next`; None is the end).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import httpx
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from pagefleet.decode import MemberPath
from pagefleet.errors import Stop
from pagefleet.page import Cursor, Request, Response
from pagefleet.url import joined, safe

PAST_THE_END = frozenset({400, 404, 416, 422})
"""What servers answer when asked for a page behind the last one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a paginator may know of a page: its response, how many documents it holds, the members asked for.

    `delivered` counts the documents of all pages before this one.
    """

    response: Response
    count: int
    members: Mapping[str, Any]
    delivered: int = 0


class _Rule(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    @model_serializer(mode="wrap")
    def _with_kind(self, said: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The kind is said even where defaults are left out: it is what tells two rules apart."""
        return {"kind": self.__class__.model_fields["kind"].default, **said(self)}

    def members(self) -> tuple[str, ...]:
        """Paths of the body's members that `next` needs."""
        return ()

    def is_said(self, answer: Answer) -> bool:
        """Of a page that is the last: does it say so, rather than say nothing?"""
        return True

    def ends_at(self, status: int, delivered: int, total: int | None) -> bool:
        """Is this error the server's way to say that the cursor is behind the last page?"""
        return False


class LinkHeader(_Rule):
    """The next page is the target of `Link: <...>; rel="next"` (RFC 8288)."""

    kind: Literal["link_header"] = "link_header"

    def request(self, first: Request, cursor: Cursor) -> Request:
        return _at(first, cursor)

    def next(self, cursor: Cursor, answer: Answer) -> Cursor:
        link = parse_link(answer.response.headers.get("link", "")).get("next")
        return joined(answer.response.url, link) if link else None

    def is_said(self, answer: Answer) -> bool:
        return "link" in answer.response.headers


class NextUrl(_Rule):
    """The next page's URL, whole or relative, stands in the body at `next`; none, null, false or empty is the end."""

    kind: Literal["next_url"] = "next_url"
    next_path: MemberPath = Field(default="next", alias="next")

    def members(self) -> tuple[str, ...]:
        return (self.next_path,)

    def request(self, first: Request, cursor: Cursor) -> Request:
        return _at(first, cursor)

    def next(self, cursor: Cursor, answer: Answer) -> Cursor:
        link = answer.members.get(self.next_path)
        if link and not isinstance(link, str):
            raise Stop(f"reading {safe(answer.response.url)}: {self.next_path!r} holds no URL but {link!r:.80}")
        return joined(answer.response.url, link) if link else None

    def is_said(self, answer: Answer) -> bool:
        return self.next_path in answer.members


class NextCursor(_Rule):
    """A cursor in the body at `next` goes into the parameter `param` of the next request.

    The end is a cursor that is missing, null, false, 0 or empty; if the path `more` is given, the end is that being so.
    """

    kind: Literal["cursor"] = "cursor"
    next_path: MemberPath = Field(default="next_cursor", alias="next")
    param: str = "cursor"
    start: str | int | None = None
    more: MemberPath | None = None

    def members(self) -> tuple[str, ...]:
        return (self.next_path, self.more) if self.more else (self.next_path,)

    def request(self, first: Request, cursor: Cursor) -> Request:
        cursor = self.start if cursor is None else cursor
        return first if cursor is None else _with(first, {self.param: cursor})

    def next(self, cursor: Cursor, answer: Answer) -> Cursor:
        found = answer.members.get(self.next_path)
        if self.more and not answer.members.get(self.more):
            return None
        if (found and not _is_cursor(found)) or (self.more and not found):
            place = safe(answer.response.url)
            raise Stop(f"reading {place}: {self.next_path!r} holds no cursor but {found!r:.80}; correct paginate.next")
        return found or None

    def is_said(self, answer: Answer) -> bool:
        return (self.more or self.next_path) in answer.members


class Offset(_Rule):
    """`param` counts documents; it steps by what arrived, not by what was asked. An empty page is the end."""

    kind: Literal["offset"] = "offset"
    param: str = "offset"
    start: int = 0
    limit_param: str | None = None
    limit: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _agrees(self) -> "Offset":
        _check_both("limit_param", self.limit_param, "limit", self.limit)
        return self

    def request(self, first: Request, cursor: Cursor) -> Request:
        params: dict[str, Any] = {self.param: self.start if cursor is None else cursor}
        if self.limit_param and self.limit:
            params[self.limit_param] = self.limit
        return _with(first, params)

    def next(self, cursor: Cursor, answer: Answer) -> Cursor:
        return (self.start if cursor is None else cursor) + answer.count if answer.count else None

    def ends_at(self, status: int, delivered: int, total: int | None) -> bool:
        return status in PAST_THE_END and total is not None and delivered >= total


class PageNumber(_Rule):
    """`param` counts pages, from `start`. An empty page is the end."""

    kind: Literal["page"] = "page"
    param: str = "page"
    start: int = 1
    size_param: str | None = None
    size: int | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _agrees(self) -> "PageNumber":
        _check_both("size_param", self.size_param, "size", self.size)
        return self

    def request(self, first: Request, cursor: Cursor) -> Request:
        params: dict[str, Any] = {self.param: self.start if cursor is None else cursor}
        if self.size_param and self.size:
            params[self.size_param] = self.size
        return _with(first, params)

    def next(self, cursor: Cursor, answer: Answer) -> Cursor:
        return (self.start if cursor is None else cursor) + 1 if answer.count else None

    def ends_at(self, status: int, delivered: int, total: int | None) -> bool:
        return status in PAST_THE_END and total is not None and delivered >= total


class Single(_Rule):
    """There is one page. Say so, and nothing is missed by mistake."""

    kind: Literal["none"] = "none"

    def request(self, first: Request, cursor: Cursor) -> Request:
        return first

    def next(self, cursor: Cursor, answer: Answer) -> Cursor:
        return None


Paginator = Annotated[LinkHeader | NextUrl | NextCursor | Offset | PageNumber | Single, Field(discriminator="kind")]


def parse_link(header: str) -> dict[str, str]:
    """The targets of a Link header by relation, in lower case; of two links with one relation the first wins.

    RFC 8288, section 3: targets in angle brackets; parameters may be quoted, and then hold commas and semicolons;
    `rel` is a list, case does not matter, and a second `rel` of one link is ignored.
    """
    links: dict[str, str] = {}
    place = 0
    while (start := header.find("<", place)) >= 0 and (end := header.find(">", start)) >= 0:
        rel, place = _relations(header, end + 1)
        for relation in rel.lower().split():
            links.setdefault(relation, header[start + 1 : end].strip())
    return links


def _relations(header: str, place: int) -> tuple[str, int]:
    """The first `rel` of the link whose parameters start at `place`, and where the link ends."""
    parts: list[str] = [""]
    is_quoted = False
    while place < len(header) and (is_quoted or header[place] != ","):
        char = header[place]
        if is_quoted and char == "\\":
            place += 1
            parts[-1] += header[place : place + 1]
        elif char == '"':
            is_quoted = not is_quoted
        elif char == ";" and not is_quoted:
            parts.append("")
        else:
            parts[-1] += char
        place += 1
    for part in parts:
        name, _, value = part.partition("=")
        if name.strip().lower() == "rel":
            return value.strip(), place
    return "", place


def _check_both(param: str, name: str | None, field: str, value: int | None) -> None:
    if (name is None) != (value is None):
        raise ValueError(f"{param} and {field} go together: the parameter's name, and what it says")


def _at(first: Request, cursor: Cursor) -> Request:
    return first if cursor is None else Request(first.method, str(cursor), first.headers, first.body)


def _with(first: Request, params: Mapping[str, Any]) -> Request:
    try:
        url = httpx.URL(first.url).copy_merge_params(params)
    except httpx.InvalidURL as error:
        raise Stop(f"going on from {safe(first.url)}: {error}; the cursor does not fit into a URL") from error
    return Request(first.method, str(url), first.headers, first.body)


def _is_cursor(found: object) -> bool:
    if isinstance(found, str):
        return found.isascii() or not any("\ud800" <= char <= "\udfff" for char in found)  # half an emoji has no bytes
    return isinstance(found, int | float) and not isinstance(found, bool)
