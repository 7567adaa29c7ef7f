"""The one seam to HTTP: transports that answer with bounded, decompressed `Response`s, and nothing else."""

import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING

import httpx

from pagefleet.addresses import Allowed, allowed_here
from pagefleet.budget import Budget
from pagefleet.errors import RetryNow, Stop
from pagefleet.fetch import is_answer
from pagefleet.inflate import Inflater, Uninflatable
from pagefleet.limits import Limits
from pagefleet.page import Request, Response
from pagefleet.release import version
from pagefleet.secrets import header, reveal, with_secrets
from pagefleet.transport import AsyncTransport
from pagefleet.url import Site, parsed, safe, split
from pagefleet.wire import written

if TYPE_CHECKING:
    from pagefleet.transport_sync import SyncTransport


@cache
def defaults() -> Mapping[str, str]:
    """What a request says unless its crawl says otherwise."""
    agent = f"pagefleet/{version()}"
    return {"accept": "*/*", "accept-encoding": "gzip, deflate, br, zstd", "user-agent": agent}


def open_client(allowed: Allowed | None = None) -> AsyncTransport:
    """One a process: no connections but to public addresses and those that are allowed; None: by PAGEFLEET_ALLOW.

    No httpx client is around it: that costs 100 us a request, for what must not happen here anyway (redirects that are
    followed, cookies that are kept, proxies and credentials from the environment).
    """
    return AsyncTransport(allowed_here() if allowed is None else allowed)


def open_sync_client(allowed: Allowed | None = None) -> "SyncTransport":
    """The same for plain `for`."""
    from pagefleet.transport_sync import SyncTransport  # noqa: PLC0415 — httpcore takes a tenth of our import's time

    return SyncTransport(allowed_here() if allowed is None else allowed)


async def send(client: AsyncTransport, request: Request, limits: Limits) -> Response | RetryNow:
    """One request and its answer within the limits; a passing fault is an answer too. Raises `Stop` on the rest."""
    started = time.monotonic()
    try:
        site, target, head, content = outgoing(request)
        with client.time_limits.within(limits.seconds):
            answer = await client.exchange(site, written(request.method, target, head, content))
            try:
                headers = _headers(answer.headers)
                body = _Body(request, headers, limits)
                while chunk := await answer.more():
                    body.add(chunk)
            finally:
                answer.close()
        return Response(answer.status, request.url, headers, body.whole(), time.monotonic() - started)
    except PASSING as error:
        return _passing(error, limits)


async def ask(client: AsyncTransport, request: Request, limits: Limits, budget: Budget) -> Response | RetryNow:
    """The same by a token of the origin's budget, which hears of an answer."""
    await budget.token()
    reply = await send(client, request, limits)
    if is_answer(reply):
        budget.answered()
    return reply


def send_sync(client: "SyncTransport", request: Request, limits: Limits) -> Response | RetryNow:
    """The same for plain `for`."""
    started = time.monotonic()
    try:
        site, target, head, content = outgoing(request)
        with closing(client.exchange(site, request.method, target, head, content, limits.seconds)) as answer:
            headers = _headers(answer.headers)
            body = _Body(request, headers, limits)
            for chunk in answer:
                body.add(chunk)
        return Response(answer.status, request.url, headers, body.whole(), time.monotonic() - started)
    except PASSING as error:
        return _passing(error, limits)


TIMEOUTS = (TimeoutError, httpx.TimeoutException)
PASSING = (httpx.TransportError, ConnectionError, Uninflatable, *TIMEOUTS)
"""What a network does."""
UNSENT = (httpx.ConnectError, httpx.ConnectTimeout)
"""What happens before a request goes out."""


def outgoing(request: Request) -> tuple[Site, bytes, list[tuple[bytes, bytes]], bytes | None]:
    """Site, target, headers and body of a request, with its secrets. Raises `Stop`."""
    url = request.url
    try:
        if request.secrets:
            secrets = {name: reveal(value) for name, value in request.secrets.items()}
            url = str(parsed(url).copy_merge_params(secrets))
        site, target = split(url)
    except httpx.InvalidURL:
        raise Stop(f"fetching {safe(request.url)}: that is no URL that can be asked") from None  # it holds secrets
    said = {name.lower(): header(name, value) for name, value in request.headers.items()}
    headers, body = {"host": site.netloc, **defaults(), **said}, with_secrets(request)
    if body is not None or request.method in WITH_BODY:
        headers["content-length"] = str(len(body or b""))
    return site, target, [(name.encode(), value.encode()) for name, value in headers.items()], body


WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
"""They say how long their body is, even if there is none (RFC 9110, 8.6)."""
FREE = 1024**2
"""Bytes of a body that may be compressed by any ratio."""


class _Body:
    """The bytes of an answer as they come, within the limits."""

    def __init__(self, request: Request, headers: Mapping[str, str], limits: Limits) -> None:
        self._request, self._limits = request, limits
        encoding = headers.get("content-encoding", "")
        self._inflater = Inflater(encoding) if encoding else None
        self._came, self._size, self._pieces = 0, 0, list[bytes]()
        length = headers.get("content-length", "")
        if length.isascii() and length.isdigit() and int(length[:20]) > limits.body:
            raise self._too_large()

    def add(self, chunk: bytes) -> None:
        """Raises `Stop` when there is too much of it, and `Uninflatable`."""
        self._came += len(chunk)
        if self._came > self._limits.body:  # also of what decompresses to nothing
            raise self._too_large()
        for piece in self._inflater.feed(chunk) if self._inflater else (chunk,):
            self._pieces.append(piece)
            self._size += len(piece)
            if self._size > self._limits.body:
                raise self._too_large()
            if self._size > max(FREE, self._came * self._limits.ratio):
                found = f"the page decompresses to more than limits.ratio = {self._limits.ratio} times what came"
                raise Stop(f"fetching {safe(self._request.url)}: {found}; raise that if it is no attack")

    def _too_large(self) -> Stop:
        found = f"the page is larger than limits.body = {self._limits.body} bytes"
        return Stop(f"fetching {safe(self._request.url)}: {found}; ask for smaller ones")

    def whole(self) -> bytes:
        """Raises `Uninflatable` when something is missing."""
        if self._inflater:
            self._inflater.end()
        return b"".join(self._pieces)


def _headers(raw_headers: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """By their names in lower case; those of one name become one (RFC 9110, 5.2)."""
    headers: dict[str, str] = {}
    for raw, value in raw_headers:
        name, said = raw.decode("latin-1").lower(), _text(value)
        headers[name] = f"{headers[name]}, {said}" if name in headers else said
    return headers


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _passing(error: Exception, limits: Limits) -> RetryNow:
    if isinstance(error, TIMEOUTS) and not isinstance(error, UNSENT):
        return RetryNow(f"no whole answer within limits.seconds = {limits.seconds:g}")
    if isinstance(error, Uninflatable):
        return RetryNow(f"the page cannot be decompressed: {error}")
    return RetryNow(str(error) or type(error).__name__, is_sent=not isinstance(error, UNSENT), is_down=True)
