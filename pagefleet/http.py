"""The one seam to HTTP: httpx clients that answer with bounded, decompressed `Response`s, and nothing else.

The asynchronous client sits on aiohttp's transport: httpx' own costs 8.8 ms a page at 64 crawls, since its pool
looks at every connection for every request.
"""

import asyncio
import os
import ssl
import time
from collections.abc import Mapping
from contextlib import aclosing, closing
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from pagefleet.crawl import SECRET, Limits
from pagefleet.errors import RetryNow, Stop
from pagefleet.page import Request, Response
from pagefleet.url import safe

HEADERS = {"user-agent": "pagefleet/0.1"}
CONNECTIONS = 256


def open_client() -> httpx.AsyncClient:
    """One a process: no proxies or credentials from the environment, no cookies kept, no redirects followed."""

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=30.0, ssl=_tls())
        opened = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        # aiohttp sends a request again by itself when a connection that was kept open is closed: past the budget, and
        # past the rule that a cursor which moves on is asked for once. It has no public switch; a test holds this one.
        opened._retry_connection = False  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        return opened

    transport = AiohttpTransport(verify=_tls(), client=session)
    return httpx.AsyncClient(transport=transport, cookies=_no_cookies(), trust_env=False, headers=HEADERS)


def open_sync_client() -> httpx.Client:
    """The same for plain `for`, on httpx' own transport."""
    return httpx.Client(verify=_tls(), cookies=_no_cookies(), trust_env=False, headers=HEADERS)


@cache
def _tls() -> ssl.SSLContext:
    """One a process, since it takes 20 ms to make. It trusts certifi's authorities, or those of SSL_CERT_FILE."""
    return httpx.create_ssl_context()


def _no_cookies() -> CookieJar:
    """httpx keeps cookies of its own, and one crawl must not go on with another's."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=[]))


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
        return _answer(request, response, body, started)
    except UNASKABLE:
        raise Stop(f"fetching {safe(request.url)}: that is no URL that can be asked") from None  # it holds secrets
    except PASSING as error:
        return _passing(error, limits)


def send_sync(client: httpx.Client, request: Request, limits: Limits) -> Response | RetryNow:
    """The same for plain `for`."""
    started = time.monotonic()
    body = bytearray()
    try:
        with closing(client.send(_built(client, request, limits.seconds), stream=True)) as response:
            for chunk in response.iter_bytes():
                _grow(body, chunk, request, limits)
                if time.monotonic() - started > limits.seconds:  # httpx counts from byte to byte
                    raise TimeoutError
        return _answer(request, response, body, started)
    except UNASKABLE:
        raise Stop(f"fetching {safe(request.url)}: that is no URL that can be asked") from None  # it holds secrets
    except PASSING as error:
        return _passing(error, limits)


UNASKABLE = (httpx.InvalidURL, httpx.UnsupportedProtocol)
PASSING = (httpx.TransportError, httpx.DecodingError, aiohttp.ClientError, TimeoutError, ConnectionError)
"""What a network does; httpx-aiohttp lets some of aiohttp's own errors through."""
UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
"""What happens before a request goes out. httpx-aiohttp calls it ConnectError when a connection breaks later, too, so
aiohttp's own error counts where there is one."""


def _built(client: httpx.Client | httpx.AsyncClient, request: Request, seconds: float | None = None) -> httpx.Request:
    headers = {name: _header(name, value) for name, value in request.headers.items()}
    url = httpx.URL(request.url)
    if request.secrets:
        url = url.copy_merge_params({name: reveal(value) for name, value in request.secrets.items()})
    return client.build_request(request.method, url, headers=headers, content=request.body, timeout=seconds)


def _header(name: str, value: str) -> str:
    revealed = reveal(value)
    if not (revealed.isascii() and revealed.isprintable()):
        found = SECRET.search(value)
        what = f"the secret {found[0]}" if found else repr(value)
        raise Stop(f"sending the header {name}: {what} holds characters that a header cannot; correct it")
    return revealed


def reveal(value: str) -> str:
    """A value with the secret that it names, `env:NAME` or `file:/path`, in the name's place."""
    found = SECRET.search(value)
    if found is None:
        return value
    where, _, name = found[0].partition(":")
    try:
        secret = os.environ[name] if where == "env" else Path(name).read_text(encoding="utf-8")
    except KeyError as error:
        raise Stop(f"looking up the secret {found[0]}: {name} is not in this worker's environment; set it") from error
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(f"looking up the secret {found[0]}: {error}; put the file where this worker can read it") from error
    return value[: found.start()] + secret.strip()


def _grow(body: bytearray, chunk: bytes, request: Request, limits: Limits) -> None:
    body += chunk
    if len(body) > limits.body:
        found = f"the page is larger than limits.body = {limits.body} bytes"
        raise Stop(f"fetching {safe(request.url)}: {found}; ask for smaller ones")


def _answer(request: Request, response: httpx.Response, body: bytearray, started: float) -> Response:
    headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}
    return Response(response.status_code, request.url, headers, bytes(body), time.monotonic() - started)


def _passing(error: Exception, limits: Limits) -> RetryNow:
    if isinstance(error, TimeoutError | httpx.TimeoutException) and not isinstance(error, httpx.ConnectTimeout):
        return RetryNow(f"no whole answer within limits.seconds = {limits.seconds:g}")
    said = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)  # that one quotes the URL
    said = said.replace(" ssl:default", "")  # aiohttp's word for plain HTTP, too
    cause = error.__cause__ if isinstance(error.__cause__, aiohttp.ClientError) else error
    return RetryNow(said or type(error).__name__, is_sent=not isinstance(cause, UNSENT))
