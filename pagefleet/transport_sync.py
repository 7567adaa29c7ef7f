"""HTTP for plain `for`: httpcore, as in httpx' own transport, with sockets of ours."""

import socket
import ssl
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import httpcore
import httpx

from pagefleet.addresses import Allowed, Door
from pagefleet.transport import CONNECTIONS, KEPT, tls
from pagefleet.url import Site


class SyncTransport:
    """httpcore's pool, with a time limit for the whole of an answer."""

    def __init__(self, allowed: Allowed) -> None:
        self._allowed = allowed
        self._sockets = _Sockets()
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls(), keepalive_expiry=KEPT, max_connections=CONNECTIONS, network_backend=self._sockets
        )

    def exchange(
        self,
        site: Site,
        method: str,
        target: bytes,
        headers: Sequence[tuple[bytes, bytes]],
        body: bytes | None,
        seconds: float,
    ) -> "ExchangeSync":
        """Send a request, and wait for the beginning of its answer, all of which must have come within so many seconds.
        Raises `Stop` when the host may not be connected to."""
        door = self._sockets.door = Door(site, self._allowed)
        self._sockets.deadline = time.monotonic() + seconds
        url = httpcore.URL(scheme=site.scheme.encode(), host=site.host.encode(), port=site.port, target=target)
        try:
            with _as_httpx():
                request = httpcore.Request(method, url, headers=headers, content=body)
                return ExchangeSync(self._pool.handle_request(request))
        except Exception:
            door.check()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.close()


FAULTS: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (httpcore.ConnectError, httpx.ConnectError),
    (httpcore.ConnectTimeout, httpx.ConnectTimeout),
    (httpcore.TimeoutException, httpx.ReadTimeout),
    (httpcore.ProtocolError, httpx.RemoteProtocolError),
    (httpcore.NetworkError, httpx.ReadError),
)
"""By the first that fits."""


@contextmanager
def _as_httpx() -> Generator[None]:
    try:
        yield
    except Exception as error:
        kind = next((ours for theirs, ours in FAULTS if isinstance(error, theirs)), None)
        if kind is None:
            raise
        raise kind(str(error)) from error


class ExchangeSync:
    """An answer whose head is there, and its body as it comes."""

    def __init__(self, answer: httpcore.Response) -> None:
        self.status, self.headers = answer.status, answer.headers
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx():
            yield from self._answer.iter_stream()

    def close(self) -> None:
        """The answer was read, or is given up."""
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
