"""What httpx sends by: two transports that ask at the door before each connection, and connect to what was checked.

The asynchronous one is aiohttp's, since httpx' own costs 8.8 ms a page at 64 crawls: its pool looks at every connection
for every request. The synchronous one is httpcore's, as httpx' own, with sockets of ours.
"""

import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from functools import cache
from typing import Any, cast

import aiohttp
import httpcore
import httpx
from httpx_aiohttp import AiohttpTransport
from yarl import URL

from pagefleet.addresses import Allowed, Door

CONNECTIONS = 256
HEADERS, HEADER = 100, 8190
"""Of one answer: so many, each of so many bytes."""
_door: ContextVar[Door | None] = ContextVar("door", default=None)


class AsyncTransport(httpx.AsyncBaseTransport):
    """aiohttp's, for one event loop."""

    def __init__(self, allowed: Allowed) -> None:
        self._allowed = allowed
        self._inner = AiohttpTransport(verify=tls(), client=_session)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises `Stop` when the host may not be connected to."""
        _check_reading(request.url)
        door = Door(request.url, self._allowed)
        before = _door.set(door)
        try:
            return await self._inner.handle_async_request(request)
        except Exception:
            door.check()
            raise
        finally:
            _door.reset(before)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _session() -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=CONNECTIONS, keepalive_timeout=30.0, ssl=tls(), socket_factory=cast("Any", _opened)
    )
    opened = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        max_headers=HEADERS,
        max_line_size=HEADER,
        max_field_size=HEADER,
    )
    # aiohttp sends a request again by itself when a connection that was kept open is closed: past the budget, and
    # past the rule that a cursor which moves on is asked for once. It has no public switch; a test holds this one.
    opened._retry_connection = False  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return opened


def _opened(info: tuple[int, int, int, str, tuple[Any, ...]]) -> socket.socket:
    """aiohttp asks for the socket of each address that it is about to connect to, in the context of the request."""
    family, kind, protocol, _, address = info
    door = _door.get()
    if door is None or not door.permits(address[0]):
        raise OSError("not permitted")
    return socket.socket(family, kind, protocol)


def _check_reading(url: httpx.URL) -> None:
    """aiohttp reads the URL once more: credentials and doors go by httpx' reading, so both must be the same."""
    try:
        read = URL(str(url))
    except ValueError as error:
        raise httpx.UnsupportedProtocol("read by httpx only") from error
    port = url.port or {"http": 80, "https": 443}.get(url.scheme)
    if (read.scheme, read.raw_host, read.port) != (url.scheme, url.raw_host.decode(), port):
        raise httpx.UnsupportedProtocol("read differently by httpx and aiohttp")


class SyncTransport(httpx.BaseTransport):
    """httpcore's, with a time limit for the whole of an answer: `extensions["seconds"]`."""

    def __init__(self, allowed: Allowed) -> None:
        self._allowed = allowed
        self._sockets = _Sockets()
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls(), keepalive_expiry=30.0, max_connections=CONNECTIONS, network_backend=self._sockets
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises `Stop` when the host may not be connected to."""
        door = self._sockets.door = Door(request.url, self._allowed)
        self._sockets.deadline = time.monotonic() + request.extensions["seconds"]
        url, stream = request.url, cast("httpx.SyncByteStream", request.stream)
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        try:
            answer = self._pool.handle_request(
                httpcore.Request(request.method, target, headers=request.headers.raw, content=stream)
            )
        except Exception:
            door.check()
            raise
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


class _Sockets(httpcore.NetworkBackend):
    """httpcore's own sockets, to checked addresses; all that they do has to be done by the deadline."""

    def __init__(self) -> None:
        self.door: Door | None = None
        self.deadline = 0.0
        self._opener = httpcore.SyncBackend()

    def left(self) -> float:
        """Seconds; raises `ReadTimeout` when there are none."""
        if (seconds := self.deadline - time.monotonic()) <= 0:
            raise httpcore.ReadTimeout
        return seconds

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """To the first address that answers, of those that are permitted."""
        fault: Exception = httpcore.ConnectError(f"{host} has no address to connect to")
        for address in _addresses(host, port):
            if self.door is None or not self.door.permits(address):
                continue
            try:
                return _Stream(self._opener.connect_tcp(address, port, self.left(), local_address, ()), self)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                fault = error
        raise fault


def _addresses(host: str, port: int) -> list[str]:
    try:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(str(error)) from error


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, sockets: _Sockets) -> None:
        self._stream = stream
        self._sockets = sockets

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._sockets.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._sockets.left())

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, self._sockets.left()), self._sockets)

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


@cache
def tls() -> ssl.SSLContext:
    """One a process, since it takes 20 ms to make. It trusts certifi's authorities, or those of SSL_CERT_FILE."""
    return httpx.create_ssl_context()
