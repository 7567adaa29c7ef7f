"""The one seam to HTTP: httpx clients that answer with bounded, decompressed `Response`s, and nothing else.

The asynchronous client sits on aiohttp's transport: httpx' own costs 8.8 ms a page at 64 crawls, since its pool
looks at every connection for every request (reference/performance.md, 2).
"""

import asyncio
import os
import time
from collections.abc import Mapping
from contextlib import aclosing, closing
from pathlib import Path

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from pagefleet.crawl import SECRET, Limits
from pagefleet.errors import RetryNow, Stop
from pagefleet.page import Request, Response

USER_AGENT = "pagefleet/0.1"
CONNECTIONS = 256


def open_client() -> httpx.AsyncClient:
    """One a process: no proxies or credentials from the environment, no cookies kept, no redirects followed."""

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=30.0)
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    transport = AiohttpTransport(client=session)
    return httpx.AsyncClient(transport=transport, trust_env=False, headers={"user-agent": USER_AGENT})


def open_sync_client() -> httpx.Client:
    """The same for plain `for`, on httpx' own transport."""
    return httpx.Client(trust_env=False, headers={"user-agent": USER_AGENT})


async def send(client: httpx.AsyncClient, request: Request, limits: Limits) -> Response | RetryNow:
    """One request and its answer within the limits; a passing fault is an answer too. Raises `Stop` on the rest."""
    started = time.monotonic()
    body = bytearray()
    try:
        async with asyncio.timeout(limits.seconds):
            response = await client.send(_built(client, request), stream=True)
            async with aclosing(response):
                async for chunk in response.aiter_bytes():
                    _grow(body, chunk, request, limits)
        return _answer(response, body, started)
    except PASSING as error:
        return _passing(error, limits)
    except httpx.InvalidURL as error:
        raise Stop(f"fetching {request.url}: {error}") from error


def send_sync(client: httpx.Client, request: Request, limits: Limits) -> Response | RetryNow:
    """The same for plain `for`."""
    started = time.monotonic()
    body = bytearray()
    try:
        with closing(client.send(_built(client, request, limits.seconds), stream=True)) as response:
            for chunk in response.iter_bytes():
                _grow(body, chunk, request, limits)
        return _answer(response, body, started)
    except PASSING as error:
        return _passing(error, limits)
    except httpx.InvalidURL as error:
        raise Stop(f"fetching {request.url}: {error}") from error


PASSING = (httpx.TransportError, httpx.DecodingError, aiohttp.ClientError, TimeoutError, ConnectionError)
"""What a network does; httpx-aiohttp lets some of aiohttp's own errors through."""


def _built(client: httpx.Client | httpx.AsyncClient, request: Request, seconds: float | None = None) -> httpx.Request:
    headers = {name: reveal(value) for name, value in request.headers.items()}
    url = httpx.URL(request.url)
    if "env%3A" in request.url or "file%3A" in request.url:
        revealed = [(name, reveal(value)) for name, value in url.params.multi_items()]
        url = url.copy_with(params=revealed)
    return client.build_request(request.method, url, headers=headers, content=request.body, timeout=seconds)


def reveal(value: str) -> str:
    """A value with the secret that it names, `env:NAME` or `file:/path`, in the name's place."""
    found = SECRET.search(value)
    if found is None:
        return value
    where, _, name = found[0].partition(":")
    try:
        secret = os.environ[name] if where == "env" else Path(name).read_text(encoding="utf-8").strip()
    except KeyError as error:
        raise Stop(f"looking up the secret {found[0]}: {name} is not in this worker's environment; set it") from error
    except OSError as error:
        raise Stop(f"looking up the secret {found[0]}: {error}; put the file where this worker can read it") from error
    return value[: found.start()] + secret


def _grow(body: bytearray, chunk: bytes, request: Request, limits: Limits) -> None:
    body += chunk
    if len(body) > limits.body:
        place = request.url.partition("?")[0]
        raise Stop(f"fetching {place}: the page is larger than limits.body = {limits.body} bytes; ask for smaller ones")


def _answer(response: httpx.Response, body: bytearray, started: float) -> Response:
    headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
    return Response(response.status_code, str(response.url), headers, bytes(body), time.monotonic() - started)


def _passing(error: Exception, limits: Limits) -> RetryNow:
    if isinstance(error, TimeoutError | httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
        return RetryNow(f"no whole answer within limits.seconds = {limits.seconds:g}")
    return RetryNow(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
