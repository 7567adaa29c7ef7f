"""Paginators by links: in a header, in a body, or as an object that says how to ask."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from msgspec.structs import replace
from pydantic import Field

from pagefleet.decode import is_array, is_object
from pagefleet.errors import Stop
from pagefleet.page import Cursor, Request
from pagefleet.paginators.opaque import Opaque
from pagefleet.paginators.places import Found, in_body, with_body
from pagefleet.paginators.rule import Answer
from pagefleet.redaction import quoted
from pagefleet.url import is_whole, joined, safe

TEMPLATE = re.compile(r"\{[?&;#/.+]?[\w,.*%:]*\}")
"""An expression of RFC 6570: HAL leaves it for the reader to fill in, and empty is right."""


class _Link(Opaque):
    def owns(self, cursor: Cursor) -> bool:
        return isinstance(cursor, str) and is_whole(cursor)

    def ask(self, first: Request, cursor: Cursor) -> Request:
        return first if cursor is None else replace(first, url=str(cursor))

    def is_repeat(self, cursor: Cursor, following: Cursor, count: int) -> bool:
        return bool(following == cursor)


class LinkHeader(_Link):
    """The next page is the target of `Link: <...>; rel="next"` (RFC 8288)."""

    kind: Literal["link_header"] = "link_header"
    rel: str = "next"

    def after(self, cursor: Cursor, answer: Answer) -> Cursor:
        link = parse_link(answer.response.headers.get("link", "")).get(self.rel.lower())
        return joined(answer.response.url, link) if link else None

    def is_pointed(self, answer: Answer) -> bool:
        return "link" in answer.response.headers


class NextUrl(_Link):
    """The next page's URL, whole or relative, or an object with it as `href`, stands at `next`; none, null, false or
    empty is the end."""

    kind: Literal["next_url"] = "next_url"
    next_path: Found = Field(default="next", alias="next")

    def members(self) -> tuple[str, ...]:
        return (*super().members(), *in_body(self.next_path))

    def after(self, cursor: Cursor, answer: Answer) -> Cursor:
        found = answer.find(self.next_path)
        link = found.get("href") if is_object(found) else found
        if link and not isinstance(link, str):
            raise Stop(f"reading {safe(answer.response.url)}: {self.next_path!r} holds no URL but {quoted(found)}")
        return joined(answer.response.url, TEMPLATE.sub("", link)) if link else None

    def is_pointed(self, answer: Answer) -> bool:
        return answer.has(self.next_path)


class LinkObject(_Link):
    """Among the link objects at `next`, the one whose `rel` is this: `href`, and for POST `method`, `body`, `merge`.

    OGC API Features, and STAC, where `merge` means: the body of this request, and over it that of the link.
    """

    kind: Literal["link_object"] = "link_object"
    next_path: Found = Field(default="links", alias="next")
    rel: str = "next"

    def members(self) -> tuple[str, ...]:
        return (*super().members(), *in_body(self.next_path))

    def owns(self, cursor: Cursor) -> bool:
        if not is_object(cursor):
            return super().owns(cursor)
        is_mergeable = cursor.get("merge") is False or is_object(cursor.get("body") or {})
        return cursor.keys() == {"href", "body", "merge"} and is_mergeable and super().owns(cursor["href"])

    def ask(self, first: Request, cursor: Cursor) -> Request:
        if not is_object(cursor):
            return first if cursor is None else replace(first, method="GET", url=str(cursor), body=None)
        request, body = replace(first, method="POST", url=str(cursor["href"])), cursor.get("body")
        if cursor.get("merge"):
            body = _over(_json(first.body or b"{}"), body)
        return request if body is None else with_body(request, body)

    def after(self, cursor: Cursor, answer: Answer) -> Cursor:
        link = self._link(answer)
        if link is None:
            return None
        href = link.get("href")
        if not isinstance(href, str) or not href:
            raise Stop(f"reading {safe(answer.response.url)}: the link {self.rel!r} has no href but {quoted(href)}")
        href = joined(answer.response.url, TEMPLATE.sub("", href))
        if str(link.get("method", "GET")).upper() != "POST":
            return href
        body, merge = link.get("body"), bool(link.get("merge"))
        if merge and is_object(cursor):
            body = _over(cursor.get("body"), body)
        return {"href": href, "body": body, "merge": merge}

    def _link(self, answer: Answer) -> Mapping[str, Any] | None:
        links = answer.find(self.next_path)
        for link in links if is_array(links) else []:
            rel = link.get("rel") if is_object(link) else None
            if self.rel in (rel if is_array(rel) else str(rel or "").split()):
                return dict(link)
        return None

    def is_pointed(self, answer: Answer) -> bool:
        return answer.has(self.next_path)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body


def _over(body: Any, other: Any) -> dict[str, Any]:
    if not is_object(body or {}) or not is_object(other or {}):
        raise Stop(f"a link's body {quoted(other)} is to be merged with {quoted(body)}, and these are no objects")
    return {**(body or {}), **(other or {})}


def parse_link(header: str) -> dict[str, str]:
    """The targets of a Link header by relation, in lower case; of two links with one relation the first wins.

    RFC 8288, section 3: targets in angle brackets; parameters may be quoted, and then hold commas and semicolons; `rel`
    is a list, case does not matter, a second `rel` of one link is ignored, and so is a link with an `anchor`: it leads
    on from another page. Registries leave the brackets out: `/v2/_catalog?last=b; rel="next"`.
    """
    links: dict[str, str] = {}
    for target, params in _links(header):
        if not params.get("anchor"):
            for relation in params.get("rel", "").lower().split():
                links.setdefault(relation, target)
    return links


def _links(header: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    place = 0
    if "<" not in header and (bare := re.match(r"\s*([^\s;,]+)\s*;", header)):
        yield bare[1], _params(header, bare.end() - 1)[0]
        return
    while (start := header.find("<", place)) >= 0 and (end := header.find(">", start)) >= 0:
        params, place = _params(header, end + 1)
        yield header[start + 1 : end].strip(), params


def _params(header: str, place: int) -> tuple[Mapping[str, str], int]:
    """The parameters of the link whose target ends at `place`, the first of each name, and where the link ends."""
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
    params: dict[str, str] = {}
    for part in parts:
        name, _, value = part.partition("=")
        params.setdefault(name.strip().lower(), value.strip())
    return params, place
