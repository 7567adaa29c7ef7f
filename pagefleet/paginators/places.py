"""Where a value is found in an answer, and where one is put into a request.

found   meta.next         in the body, in the language of the crawl's documents
        header:Next-Page  in a response header
        last:id           in the last document of the page, a chain of members
put     cursor            a query parameter               header:X-Cursor   a header
        json:startkey     one that is written as JSON     form:cursor       a field of a form body
        body:query.after  a member of the JSON body       path:cursor       `{cursor}` in the URL
"""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

import httpx
from msgspec.structs import replace
from pydantic import AfterValidator

from pagefleet.errors import Stop
from pagefleet.hidden import members, without
from pagefleet.page import Request
from pagefleet.paths import parse_path
from pagefleet.redaction import cut
from pagefleet.url import safe

HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
FRAMING = frozenset(
    {
        *("connection", "content-length", "expect", "keep-alive", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade"),
    }
)
"""Where a message ends, and what becomes of its connection, is ours to say: crawls share connections, and one that said
it could have a part of its own request answered to another."""
Value = str | int | float
LONGEST_SEGMENT = 8_192
"""Characters of a URL that a cursor may take."""


def split(place: str, kinds: str) -> tuple[str, str]:
    """The kind before the colon and what stands behind it; no kind of these: '' and the whole."""
    found = re.fullmatch(rf"({kinds}):(.+)", place, re.DOTALL)
    return (found[1], found[2]) if found else ("", place)


def _found(place: str) -> str:
    kind, name = split(place, "header|last")
    if kind == "header" and not HEADER.fullmatch(name):
        raise ValueError(f"{place!r} names no header: write header:Its-Name")
    if kind == "last" and not parse_path(name):
        raise ValueError(f"{place!r} names no member of a document: write last:id")
    if not name:
        raise ValueError("write a path in the body, header:Name or last:member")
    return place


def check_header(name: str) -> None:
    """Raises `ValueError` when a request cannot have a header of this name, or only from us."""
    if not HEADER.fullmatch(name):
        raise ValueError("write a header's name with letters, digits and dashes")
    if name.lower() in FRAMING:
        raise ValueError("it is ours to say, for it tells where a request ends or what becomes of its connection")


def _put(place: str) -> str:
    kind, name = split(place, "json|header|body|form|path")
    if kind == "header":
        check_header(name)
    if kind == "body" and not parse_path(name):
        raise ValueError(f"{place!r} names no member of the body: write body:a.b")
    if not name:
        raise ValueError("write a parameter's name, or header:, body:, form:, json: or path: and a name")
    return place


Found = Annotated[str, AfterValidator(_found)]
Put = Annotated[str, AfterValidator(_put)]


def in_body(*places: str | None) -> tuple[str, ...]:
    """Those of the places that are paths in the body."""
    return tuple(place for place in places if place and not split(place, "header|last")[0])


def is_structured(place: str) -> bool:
    """Can an array or an object be put there, or only a string or a number?"""
    return split(place, "json|body")[0] != ""


def put(request: Request, values: Mapping[str, Any]) -> Request:
    """The request with these values in their places; raises `Stop` when one does not fit."""
    try:
        return _put_in(request, values)
    except (UnicodeError, ValueError, AttributeError, TypeError, httpx.InvalidURL) as error:
        fault = cut(str(error), 200)
        raise Stop(f"going on from {safe(request.url)}: {fault}; the cursor does not fit there") from error


def _put_in(request: Request, values: Mapping[str, Any]) -> Request:
    params: dict[str, Any] = {}
    for place, value in values.items():
        kind, name = split(place, "json|header|body|form|path")
        match kind:
            case "header":
                request = replace(request, headers={**request.headers, name: str(value)})
            case "body":
                request = replace(request, body=_with_member(request, parse_path(name), value))
            case "form":
                request = _with_field(request, name, value)
            case "path":
                request = replace(request, url=_with_segment(request.url, name, str(value)))
            case "json":
                params[name] = json.dumps(value)
            case _:
                params[name] = value
    return with_params(request, params)


def with_params(request: Request, params: Mapping[str, Any]) -> Request:
    """The request with these parameters in its query, in place of others with their names."""
    if not params:
        return request
    try:
        url = httpx.URL(request.url).copy_merge_params(params)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise Stop(f"going on from {safe(request.url)}: {error}; the cursor does not fit into a URL") from error
    return replace(request, url=str(url))


def with_body(request: Request, body: Any) -> Request:
    """The request with a JSON body."""
    return replace(request, headers=_of_type(request, "application/json"), body=json.dumps(body).encode())


def with_own_body(request: Request, body: Any) -> Request:
    """The request with a JSON body that the crawl's author wrote, and not a server: it may name secrets."""
    hidden = members(body)
    return replace(with_body(request, without(body, hidden) if hidden else body), hidden=hidden)


def as_form(request: Request) -> Request:
    """The request, its body said to be a form's if nothing else is said of it."""
    return replace(request, headers=_of_type(request, "application/x-www-form-urlencoded"))


def _of_type(request: Request, kind: str) -> Mapping[str, str]:
    """The request's headers, with a content type: its own, however that is written, before this one."""
    own = any(name.lower() == "content-type" for name in request.headers)
    return request.headers if own else {**request.headers, "content-type": kind}


def _with_member(request: Request, names: tuple[str, ...], value: Any) -> bytes:
    body = json.loads(request.body or b"{}")
    place = body
    for name in names[:-1]:
        if not isinstance(place.get(name), dict):
            place[name] = {}
        place = place[name]
    place[names[-1]] = value
    return json.dumps(body).encode()


def _with_field(request: Request, name: str, value: Value) -> Request:
    fields = httpx.QueryParams((request.body or b"").decode()).set(name, value)
    return replace(as_form(request), body=str(fields).encode())


def _with_segment(url: str, name: str, value: str) -> str:
    segment = quote(value, safe="")
    if len(segment) > LONGEST_SEGMENT:
        raise ValueError(f"it has {len(segment)} characters")
    return url.replace(f"{{{name}}}", segment).replace(f"%7B{name}%7D", segment)
