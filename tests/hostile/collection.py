"""The rows that all endpoints serve, and how an honest page of them is made."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.api import document

COUNT, SIZE = 25, 10
ROWS = [document("p", number) for number in range(COUNT)]


@dataclass
class Memory:
    """What a server remembers between requests."""

    times: Counter[str] = field(default_factory=Counter[str])
    values: dict[str, Any] = field(default_factory=dict[str, Any])


MEMORY = web.AppKey("memory", Memory)


def memory(request: web.Request) -> Memory:
    return request.app[MEMORY]


def times(request: web.Request, event: str = "") -> int:
    """How often this happened, this time included; without a name, how often this very target was asked for."""
    event = event or request.raw_path
    memory(request).times[event] += 1
    return memory(request).times[event]


def whole(request: web.Request, name: str, default: int = 0) -> int:
    """A parameter that is a whole number."""
    return int(request.query.get(name, default))


def body(documents: Sequence[bytes], meta: Mapping[str, Any] | None = None, **members: Any) -> bytes:
    """`{"meta": {...}, "data": [...], ...}`, the documents byte for byte."""
    rest = "".join(f", {json.dumps(name)}: {json.dumps(value)}" for name, value in members.items())
    return (
        b'{"meta": ' + json.dumps(meta or {}).encode() + b', "data": [' + b", ".join(documents) + b"]"
        + rest.encode() + b"}"
    )  # fmt: skip


def answer(
    documents: Sequence[bytes],
    meta: Mapping[str, Any] | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> web.Response:
    """A page."""
    return web.Response(body=body(documents, meta, **members), content_type="application/json", headers=headers)


def error(status: int, said: str = "no", headers: Mapping[str, str] | None = None, **members: Any) -> web.Response:
    """A problem, as JSON."""
    text = json.dumps({"error": {"message": said}, **members})
    return web.Response(status=status, text=text, content_type="application/json", headers=headers)


def start(request: web.Request, size: int = SIZE) -> int:
    """The row at which the page that is asked for begins, by `cursor`, `page` (from 1) or `offset`."""
    query = request.query
    if "cursor" in query:
        return int(query["cursor"])
    return (int(query["page"]) - 1) * size if "page" in query else int(query.get("offset", 0))


def after(end: int, count: int = COUNT) -> dict[str, str]:
    """The member that names the next cursor, if there is more."""
    return {"next": str(end)} if end < count else {}


def total(request: web.Request, count: int = COUNT) -> dict[str, Any]:
    """The member that declares how many there are, unless `total=0` is asked for."""
    return {} if request.query.get("total") == "0" else {"total": count}


def honest(request: web.Request) -> web.Response:
    """The page that is asked for, as it should be."""
    first = min(start(request), COUNT)
    return answer(ROWS[first : first + SIZE], {**total(request), **after(first + SIZE)})


def hang_up(request: web.Request, rest: bytes = b"", kind: str = "application/json") -> web.Response:
    """The reply is lost, or what follows of it behind the first headers: the client knows nothing of what was done."""
    assert request.transport
    if rest:
        request.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n" % kind.encode() + rest)
    request.transport.close()
    return web.Response()
