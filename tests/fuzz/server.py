"""A server that the fuzzer makes up, and the crawls that walk over it."""

import json
import os
import re
import tomllib
from collections.abc import Sequence
from functools import cache
from typing import Any

from msgspec.structs import replace

from pagefleet.crawl import Crawl, Each
from pagefleet.crawlfile import parse
from pagefleet.decode import is_object
from pagefleet.errors import RetryNow
from pagefleet.fetch import Reply
from pagefleet.markup import NAMESPACES
from pagefleet.page import Request, Response
from pagefleet.paths import parse_path
from pagefleet.presets import about, names
from tests.fuzz.draw import Draw

URL = "https://api.example.org/things"
LEAST: dict[str, Any] = {"url": URL, "documents": "data", "total": "total", "limits": {"attempts": 2}}
PAGINATORS: list[dict[str, Any]] = [
    {"kind": "none"},
    {"kind": "next_url", "fallback": "restart"},
    {"kind": "next_url", "next": "header:x-next"},
    {"kind": "link_header", "absent": "end"},
    {"kind": "link_object", "next": "next"},
    {"kind": "cursor", "next": "next", "carry": {"b": "total"}},
    {"kind": "cursor", "next": "last:id", "param": "header:X-Cursor", "repeated": "end"},
    {"kind": "cursor", "next": "next", "param": "json:a", "fallback": "restart", "replay": "advancing"},
    {"kind": "cursor", "next": "next", "fallback": {"kind": "keyset", "param": "since"}, "expired": ["404", "200 a"]},
    {"kind": "cursor", "next": "next", "fallback": {"kind": "page", "size_param": "size", "size": 2}},
    {"kind": "cursor", "next": "next", "fallback": {"kind": "offset"}, "then": {"url": "more", "body": {}}},
    {"kind": "continue", "next": "next", "complete": "more"},
    {"kind": "keyset", "field": "id", "param": "since", "inclusive": True},
    {"kind": "keyset", "field": "id", "param": "since", "tie": "a", "tie_param": "tie"},
    {"kind": "offset", "done": "more", "limit_param": "limit", "limit": 6, "past_end": ["404"]},
    {"kind": "page", "pages": "next", "size_param": "size", "size": 4},
]
BY_CURSOR = {"kind": "cursor", "next": "next"}
ODD: list[dict[str, Any]] = [
    {"body": {"a": 1}, "method": "POST", "paginate": {**BY_CURSOR, "param": "body:a.b"}},
    {"body": "a=1", "method": "POST", "paginate": {**BY_CURSOR, "param": "form:a"}},
    {"body": {"a": 1}, "method": "POST", "paginate": {"kind": "link_object", "next": "next"}},
    {"url": f"{URL}/{{p}}", "paginate": {**BY_CURSOR, "param": "path:p"}},
    {"documents": "$..a", "total": "$..total", "paginate": {"kind": "cursor", "next": "$..next"}},
    {"documents": ".", "paginate": {"kind": "next_url"}, "error": "error", "key": "data"},
    {"format": "csv", "total": "header:x-total", "original": True, "paginate": {"kind": "page"}},
    {"format": "ndjson", "total": "header:x-total", "paginate": {"kind": "keyset", "param": "since"}},
    {"format": "xml", "documents": "//a", "total": "//total", "paginate": {"kind": "next_url", "next": "//next"}},
    {"format": "html", "documents": "a", "total": "b", "paginate": {"kind": "next_url", "next": "i a"}},
    {"paginate": {"kind": "next_url"}, "origins": ["https://b.example/"], "headers": {"Authorization": "env:A"}},
    {"paginate": {"kind": "link_header"}, "params": {"key": "env:A"}, "cap": 5, "key": "id"},
    {"paginate": {"kind": "continue", "next": "next", "complete": "more"}, "key": "id"},
    {"paginate": {"kind": "offset", "window": 4, "span": {"first": 1, "behind": 3, "of": 3}}},
    {
        "paginate": {
            "kind": "page",
            "window": 9,
            "size_param": "size",
            "size": 2,
            "span": {"first": 2, "behind": 4, "of": 2},
        }
    },
]
CHILDREN: list[dict[str, Any]] = [
    {"url": "/things/{id}", "paginate": BY_CURSOR, "documents": "data", "total": "total"},
    {"url": "{href}", "paginate": {"kind": "none", "past_end": ["404"]}, "include": {"of": "id"}},
    {
        "url": "/a?b={id}",
        "method": "POST",
        "body": {"a": "{a}"},
        "paginate": {"kind": "link_header"},
        "documents": "data",
    },
    {"url": "b/{id}", "documents": "data", "paginate": {"kind": "offset"}, "each": {"url": "{id}/c"}},
]
STATUSES = [*[200] * 14, 204, 301, 400, 404, 410, 429, 500, 503]
HEADERS = ["link", "location", "retry-after", "content-type", "x-next", "x-total", "ratelimit-reset", "next-page"]
LINKS = ["?p=2", "?p=3", "//b.example/", "a/b", "?p={q}", "/things?key=a+secret"]
ANSWERS = 24
"""That a server makes up at most."""


@cache
def crawls() -> list[Crawl]:
    """Of each kind, and with each preset."""
    said = [{**LEAST, **more} for more in (*({"paginate": rule} for rule in PAGINATORS), *ODD)]
    said += [{**LEAST, "paginate": PAGINATORS[number], "each": each} for each in CHILDREN for number in (0, 1, 14)]
    said += [{**tomllib.loads(about(name).example), "preset": name, "limits": {"attempts": 2}} for name in names()]
    found = [parse(one) for one in said]
    os.environ.update({name: "a secret" for one in found for name in re.findall(r"env:(\w+)", one.model_dump_json())})
    return found


class Server:
    """Answers by the number of the request: first what the fuzzer makes up, then for ever the same."""

    def __init__(self, draw: Draw, crawl: Crawl) -> None:
        self._draw, self._crawl = draw, crawl
        self._refusal: Reply = draw.choice([Response(404, URL, {}, b""), Response(500, URL, {}, b""), None])
        self._repeats = draw.flag()
        self._replies: list[Reply] = []
        self.asked = 0
        self.is_inventive = True
        """Does it still make answers up?"""

    @property
    def is_at_end(self) -> bool:
        """Is each answer that comes the one before?"""
        return self.asked > len(self._replies)

    def reply(self, request: Request) -> Reply:
        """To the next request."""
        if self.asked == len(self._replies) < ANSWERS and self._draw.left and self.is_inventive:
            self._replies.append(self._reply())
        reply = self._replies[self.asked] if self.asked < len(self._replies) else self._tail()
        self.asked += 1
        return replace(reply, url=request.url) if isinstance(reply, Response) else reply

    def _tail(self) -> Reply:
        last = self._replies[-1] if self._repeats and self._replies else self._refusal
        asks_for_patience = isinstance(last, Response) and last.status in (403, 429, 503)
        return self._refusal if asks_for_patience else last

    def _reply(self) -> Reply:
        draw = self._draw
        if draw.number(0, 15) == 1:
            return RetryNow("reset", is_sent=draw.flag())
        headers = {draw.choice(HEADERS): draw.text(80).strip() for _ in range(draw.number(0, 2))}
        if draw.flag():
            headers["link"] = f'<{draw.choice(LINKS)}>; rel="next"'
        body = draw.data(200) if draw.number(0, 7) == 1 else self._body()
        return Response(draw.choice(STATUSES), URL, headers, body)

    def _body(self) -> bytes:
        listings: list[Crawl | Each] = [self._crawl, *([self._crawl.each] if self._crawl.each else [])]
        members = [path for one in listings for path in (*one.paginate.members(), one.total, one.error) if path]
        documents = [one.documents for one in listings]
        match self._crawl.format:
            case "xml" | "html":
                words = sorted(set(re.findall(r"[A-Za-z][\w:]*", " ".join([*members, *documents]))))
                spaces = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
                return self._element(words, 3, spaces).encode()
            case "csv" | "ndjson":
                lines = ["id,a", "1,2", '"3\n",4', '{"id": 1}', '{"id": "b", "a": null}', ""]
                return "\n".join(self._draw.choice(lines) for _ in range(self._draw.number(0, 6))).encode()
            case _:
                body: Any = {}
                for path in members:
                    body = planted(body, path, self._draw.value())
                for path in documents:
                    body = planted(body, path, [self._document() for _ in range(self._draw.number(0, 4))])
                return json.dumps(body).encode()

    def _document(self) -> Any:
        if self._draw.number(0, 5) == 1:
            return self._draw.value()
        return {"id": self._draw.number(0, 9), "a": self._draw.value(1), "href": self._draw.value(1)}

    def _element(self, words: Sequence[str], depth: int, attributes: str = "") -> str:
        name, text = self._draw.choice(words), self._draw.choice(["", "1", "?p=2", "x y", "7"])
        inner = [self._element(words, depth - 1) for _ in range(self._draw.number(0, 3) if depth else 0)]
        return f'<{name} rel="next" href="{self._draw.choice(LINKS)}"{attributes}>{text}{"".join(inner)}</{name}>'


def planted(body: Any, path: str, value: Any) -> Any:
    """The body with a value at a path; of a JSONPath, under its last word."""
    try:
        chain = parse_path(path)
    except ValueError:
        chain = tuple(re.findall(r"\w+", path)[-1:])
    return _planted(body, chain, value)


def _planted(body: Any, chain: tuple[str, ...], value: Any) -> Any:
    if not chain:
        return value
    members: dict[str, Any] = body if is_object(body) else {}
    return {**members, chain[0]: _planted(members.get(chain[0]), chain[1:], value)}
