"""A server of small endpoints, each with an outcome that a probe of it must come to."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from aiohttp import web

from tests.api import Api

SIZE, COUNT = 10, 47
ROWS: list[Any] = [{"id": n, "title": f"row {n}", "of": {"kind": "row"}} for n in range(COUNT)]
FEW = ROWS[:7]
Answer = Mapping[str, Any] | Sequence[Any] | web.StreamResponse
Handler = Callable[[web.Request], Answer]
TIMES = web.AppKey("times", dict[str, int])


@dataclass(frozen=True)
class Endpoint:
    """What is probed, and what must come of it: the rows that its crawl brings, or None where nobody can know."""

    name: str
    query: str
    rows: tuple[Any, ...] | None
    kind: str
    """Of the paginator that must be found; empty: any that brings the rows."""
    handler: Handler


ENDPOINTS: dict[str, Endpoint] = {}


def exact(query: str = "", rows: Sequence[Any] = tuple(ROWS), kind: str = "") -> Callable[[Handler], Handler]:
    """A crawl by what the probe finds brings exactly these rows."""
    return _registered(query, tuple(rows), kind)


def unsure(query: str = "") -> Callable[[Handler], Handler]:
    """The probe must say that it does not know."""
    return _registered(query, None, "")


def _registered(query: str, rows: tuple[Any, ...] | None, kind: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        name = f"{handler.__module__.rpartition('.')[2]}/{handler.__name__}"
        ENDPOINTS[name] = Endpoint(name, query, rows, kind, handler)
        return handler

    return register


def number(request: web.Request, name: str, default: int = 0) -> int:
    """A parameter that is a whole number; anything else is answered with 400."""
    try:
        return int(request.query.get(name, default))
    except ValueError as error:
        raise web.HTTPBadRequest(text=f"{name} is no number") from error


def window(start: int, size: int = SIZE, rows: Sequence[Any] = tuple(ROWS)) -> list[Any]:
    """So many rows from there on."""
    return list(rows[max(start, 0) : max(start, 0) + size])


def paged(request: web.Request, name: str = "page", base: int = 1, size: int = SIZE) -> list[Any]:
    """The page that is asked for, by numbers from `base`."""
    return window((number(request, name, base) - base) * size, size)


def url(request: web.Request, **params: Any) -> str:
    """The same URL with these parameters."""
    return str(request.url.update_query({name: str(value) for name, value in params.items()}))


def times(request: web.Request) -> int:
    """How often this endpoint was asked, this time included."""
    counted = request.app[TIMES]
    counted[request.path] = counted.get(request.path, 0) + 1
    return counted[request.path]


def said(body: Any, headers: Mapping[str, str] | None = None, status: int = 200) -> web.Response:
    """An answer in JSON with headers."""
    return web.json_response(body, headers=headers, status=status)


class Server(Api):
    """Serves all endpoints on a free port of the loopback interface."""

    def __init__(self) -> None:
        super().__init__(0.0)
        app = self._runner.app
        app[TIMES] = {}
        for endpoint in ENDPOINTS.values():
            app.router.add_route("*", f"/{endpoint.name}/things", _answering(endpoint.handler))
            app.router.add_route("*", f"/{endpoint.name}/things/{{place:.+}}", _answering(endpoint.handler))

    def of(self, endpoint: Endpoint) -> str:
        """The URL that is probed; what was asked before is forgotten."""
        self._asked.clear()
        self._runner.app[TIMES].clear()
        return f"{self.url}/{endpoint.name}/things{endpoint.query}"


def _answering(handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answering(request: web.Request) -> web.StreamResponse:
        found = handler(request)
        if isinstance(found, web.StreamResponse):
            return found
        return web.Response(text=json.dumps(found), content_type="application/json")

    return answering


@contextmanager
def serving(*families: ModuleType) -> Generator[Server]:
    """A server in a thread of its own; the families are named so that their endpoints are registered."""
    assert families
    served, loop = Server(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="probed", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(served.start(0), loop).result(10)
        yield served
    finally:
        asyncio.run_coroutine_threadsafe(served.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
