"""A paginated API for tests: collections that are functions of the URL, faults on request, and who asked when.

    /c/<name>?count=1000&size=10&style=offset    documents 0 to 999, 10 a page, each byte by `document(name, n)`
    /say?status=200&header=Name: value&body=...  exactly that
    /requests?path=/c/<name>                     what was asked so far, by path prefix; DELETE forgets it

Styles: offset (offset, limit), page (page, per_page), cursor (cursor), next_url, link_header; `size` caps `limit`
and `per_page`. The body is {"data": [...], "meta": {"total": ..., "next": ...}}. Further parameters:

    total=0         declares no total            delay=<seconds>   before each answer
    since=, until=  those whose numbers are so   cap=<count>       lists and counts no more than this
    each=7, rest=3  those whose number divided by 7 leaves 3; no rest: all
    pad=<bytes>     more of each document        origin=<url>      where next links lead to
    fault=<FAULTS>  the first `times` requests of each URL fare so, or each with `chance`, or all; a status may
                    come with Retry-After: `after=<seconds>`, or `after_date=<seconds>` for its form as a date

`python tests/api.py --port 0` prints its URL and serves until it is killed.
"""

import argparse
import asyncio
import json
import threading
import time
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from email.utils import formatdate
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

FAULTS = ("html", "truncated", "hangup", "drip", "large", "bomb", "stuck")
"""Or a status: HTML with 200; half the JSON; half the answer, then a closed connection; a byte every 50 ms; a body
without end; the same compressed; a server that ignores the cursor."""
TEXT = r"""caf\u00e9 é 漢字 😀 \ud83d\ude00 \"quoted\" back\\slash sl\/ash \n"""
CURSOR = "/+ é&="
"""Stands behind the number in each cursor, to be escaped on its way back."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def document(collection: str, number: int, pad: int = 0) -> bytes:
    """The bytes of one document, odd where decoding and encoding again would show."""
    return (
        f'{{"id": {number},"collection":"{collection}", "one" : 1.0, "huge":1e400, "big":12345678901234{number:09},'
        f'"text":"{TEXT}","nested":{{"z": [ ], "a": [-0.0, 1.50, null, true, {{}}]}},"pad":"{"x" * pad}"}}'
    ).encode()


def description(url: str, name: str, style: str = "offset", **params: Any) -> dict[str, Any]:
    """A crawl of a collection as plain data, for `Crawl(**...)` or a crawl file."""
    paginate: dict[str, dict[str, Any]] = {
        "offset": {"kind": "offset"},
        "page": {"kind": "page"},
        "cursor": {"kind": "cursor", "next": "meta.next"},
        "next_url": {"kind": "next_url", "next": "meta.next"},
        "link_header": {"kind": "link_header"},
    }
    return {
        "url": f"{url}/c/{name}?{urlencode({'style': style, **params})}",
        "documents": "data",
        "key": "id",
        "total": "meta.total",
        "paginate": paginate[style],
    }


def say(url: str, body: str = "", *, status: int = 200, headers: Mapping[str, str] | None = None) -> str:
    """The URL that answers exactly this."""
    named = [("header", f"{name}: {value}") for name, value in (headers or {}).items()]
    return f"{url}/say?{urlencode([('status', status), ('body', body), *named])}"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, its target as it was sent, and when it came by `time.monotonic`, which all processes share."""

    at: float
    method: str
    target: str
    authorization: str | None
    body: str


class Api:
    """A server on a free port of the loopback interface; `url` is its origin."""

    def __init__(self, latency: float) -> None:
        self.url = ""
        self.status = 0
        """What every collection is answered with, if it is not 0."""
        self._latency = latency
        self._asked: list[Asked] = []
        self._times: Counter[str] = Counter()
        app = web.Application(middlewares=[self._note])
        app.router.add_route("*", "/c/{name}", self._collection)
        app.router.add_route("*", "/say", _say)
        app.router.add_get("/requests", self._requests)
        app.router.add_delete("/requests", self._forget)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)

    async def start(self, port: int) -> None:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    def asked(self, path: str = "/") -> list[Asked]:
        """The requests so far whose path starts so."""
        return [asked for asked in list(self._asked) if asked.target.startswith(path)]

    @property
    def connections(self) -> int:
        """Open ones, idle ones included."""
        return len(self._runner.server.connections) if self._runner.server else 0

    async def has_been_asked(self, count: int, path: str = "/") -> None:
        """Waits until so many requests have come."""
        await self._until(lambda: len(self.asked(path)) >= count)

    async def is_idle(self) -> None:
        """Waits until no client is connected any more."""
        await self._until(lambda: self.connections == 0)

    async def _until(self, fact: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not fact():  # noqa: ASYNC110  # the fact is another thread's
                await asyncio.sleep(0.002)

    @web.middleware
    async def _note(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path != "/requests":
            authorization, body = request.headers.get("authorization"), await request.text()
            asked = Asked(time.monotonic(), request.method, request.raw_path, authorization, body)
            self._asked.append(asked)
            if delay := self._latency + float(request.query.get("delay", 0)):
                await asyncio.sleep(delay)
        return await handler(request)

    async def _requests(self, request: web.Request) -> web.Response:
        return web.json_response([asdict(one) for one in self.asked(request.query.get("path", "/"))])

    async def _forget(self, _: web.Request) -> web.Response:
        self._asked.clear()
        self._times.clear()
        return web.Response(status=204)

    async def _collection(self, request: web.Request) -> web.StreamResponse:
        fault = str(self.status) if self.status else self._fault(request)
        if fault == "html":
            return web.Response(text="<html>Please enable JavaScript</html>", content_type="text/html")
        if fault.isdigit():
            return web.Response(status=int(fault), text="made to fail", headers=_retry_after(request.query))
        if fault in ("large", "bomb"):
            return await _endless(request, is_compressed=fault == "bomb")
        headers, body = _page(request, is_stuck=fault == "stuck")
        if fault in ("hangup", "drip"):
            return await _in_pieces(request, body, is_whole=fault == "drip")
        end = len(body) // 2 if fault == "truncated" else None
        return web.Response(body=body[:end], content_type="application/json", headers=headers)

    def _fault(self, request: web.Request) -> str:
        """What this request meets: it depends on its URL and on how often that was asked for."""
        query, target = request.query, request.path_qs
        self._times[target] += 1
        if "times" in query and self._times[target] > int(query["times"]):
            return ""
        dice = zlib.crc32(f"{target} {self._times[target]}".encode()) / 2**32
        return query.get("fault", "") if dice < float(query.get("chance", 1)) else ""


async def _say(request: web.Request) -> web.Response:
    headers = dict(header.split(": ", 1) for header in request.query.getall("header", []))
    body = request.query.get("body", "").encode()
    return web.Response(status=int(request.query.get("status", 200)), headers=headers, body=body)


def _page(request: web.Request, *, is_stuck: bool) -> tuple[dict[str, str], bytes]:
    """Headers and body of the page that was asked for."""
    query, name = request.query, request.match_info["name"]
    numbers = _numbers(query)
    style, count, size = query.get("style", "offset"), len(numbers), int(query.get("size", 10))
    size = min(size, int(query.get("limit", size)), int(query.get("per_page", size)))
    asked = {
        "page": (int(query.get("page", 1)) - 1) * size,
        "cursor": int(query.get("cursor", "0").removesuffix(CURSOR)),
    }
    start = 0 if is_stuck else min(asked.get(style, int(query.get("offset", 0))), count)
    end = min(start + size, count)
    url = query.get("origin", "") + str(request.rel_url.update_query(offset=end))
    meta: dict[str, Any] = {"total": count} if query.get("total") != "0" else {}
    headers: dict[str, str] = {}
    if end < count:
        meta |= {"next_url": {"next": url}, "cursor": {"next": f"{end}{CURSOR}"}}.get(style, {})
        if style == "link_header":
            headers["link"] = f'</first>; rel="first"; title="a, <b>; c", <{url}>; rel="next"'
    documents = b" ,\n".join(document(name, number, int(query.get("pad", 0))) for number in numbers[start:end])
    return headers, b'{ "meta": ' + json.dumps(meta).encode() + b',\r\n"data": [ ' + documents + b" ] }\n"


def _numbers(query: Mapping[str, str]) -> range:
    """Of the documents that are asked for."""
    count = int(query.get("count", 1000))
    numbers = range(max(0, int(query.get("since", 0))), min(count, int(query.get("until", count))))
    if "rest" in query:
        each = int(query["each"])
        numbers = range(numbers.start + (int(query["rest"]) - numbers.start) % each, numbers.stop, each)
    return numbers[: int(query.get("cap", count))]


def _retry_after(query: Mapping[str, str]) -> dict[str, str]:
    if "after_date" in query:
        return {"retry-after": formatdate(time.time() + float(query["after_date"]), usegmt=True)}
    return {"retry-after": query["after"]} if "after" in query else {}


async def _in_pieces(request: web.Request, body: bytes, *, is_whole: bool) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "application/json"})
    response.content_length = len(body)
    await response.prepare(request)
    if not is_whole:
        await response.write(body[: len(body) // 2])
        assert request.transport
        request.transport.close()
        return response
    for byte in body:
        await response.write(bytes([byte]))
        await asyncio.sleep(0.05)
    return response


async def _endless(request: web.Request, *, is_compressed: bool) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "application/json"})
    if is_compressed:
        response.enable_compression(web.ContentCoding.gzip)
    await response.prepare(request)
    while True:  # until the client has had enough
        await response.write(b" " * 65536)


@contextmanager
def api(*, latency: float = 0.0, port: int = 0) -> Generator[Api]:
    """A server in a thread of its own, which waits `latency` seconds before each answer."""
    served, loop = Api(latency), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="api", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(served.start(port), loop).result(10)
        yield served
    finally:
        asyncio.run_coroutine_threadsafe(served.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def main() -> None:
    """On its own, for tests whose processes come and go."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0)
    options = parser.parse_args()
    served = Api(options.latency)
    await served.start(options.port)
    print(served.url, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
