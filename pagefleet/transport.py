"""HTTP/1.1 in an event loop, on llhttp (httptools), each connection to an address that was checked.

A transport of our own, since this is where most of a page's time went, above all with many crawls: httpx' own pool
looks at every connection for every request (docs/performance.md). Ours does what a crawl needs and no more
(docs/decisions/008): `exchange`, and over it httpx' own interface.
"""

import asyncio
import os
import socket
import ssl
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from functools import cache
from typing import Any

import httpx
from aiohappyeyeballs import start_connection  # pyright: ignore[reportUnknownVariableType]  # a tuple without its types

from pagefleet.addresses import Allowed, Door
from pagefleet.tasks import TimeLimits
from pagefleet.url import Site, split
from pagefleet.wire import Answer, written

CONNECTIONS = 256
"""In use at once; for more, requests wait."""
KEPT = 30.0
"""Seconds that a connection without work is good for another request."""
FALLBACK_DELAY = 0.25
"""Seconds until the next of a host's addresses is tried as well (RFC 8305)."""


class AsyncTransport(httpx.AsyncBaseTransport):
    """Connections to many sites, kept for the next request to the same one.

    Raises `Stop` where a host may not be connected to, `httpx.ConnectError` before a request has gone out, and
    `httpx.TransportError` behind that: nothing is ever sent twice.
    """

    def __init__(self, allowed: Allowed) -> None:
        self.time_limits = TimeLimits()
        self._allowed = allowed
        self._idle = defaultdict[Site, list[_Connection]](list)
        self._resting = 0
        self._slots = asyncio.Semaphore(CONNECTIONS)

    async def exchange(self, site: Site, request: bytes) -> "Exchange":
        """Send a request, as it stands on the wire, and wait for the beginning of its answer."""
        await self._slots.acquire()
        connection = None
        try:
            connection = self._kept(site) or await _opened(site, self._allowed)
            answer = await connection.ask(request)
        except BaseException:
            if connection is not None:
                connection.close()
            self._slots.release()
            raise
        return Exchange(answer, connection, site, self)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        site, target = split(str(request.url))
        body = await request.aread()
        exchange = await self.exchange(site, written(request.method, target, request.headers.raw, body))
        return httpx.Response(exchange.status, headers=exchange.headers, stream=_Stream(exchange))

    def _kept(self, site: Site) -> "_Connection | None":
        while site in self._idle:
            connection = self._taken(site)
            if connection.is_fit and time.monotonic() - connection.rested < KEPT:
                return connection
            connection.close()
        return None

    def _taken(self, site: Site) -> "_Connection":
        """The one that rested last, of those to a site."""
        idle = self._idle[site]
        connection = idle.pop()
        self._resting -= 1
        if not idle:
            del self._idle[site]
        return connection

    def release(self, connection: "_Connection", site: Site) -> None:
        """Its answer was read, or given up."""
        self._slots.release()
        if not connection.is_fit:
            connection.close()
            return
        connection.rested = time.monotonic()
        self._idle[site].append(connection)
        self._resting += 1
        if self._resting > CONNECTIONS:
            self._taken(next(iter(self._idle))).close()

    async def aclose(self) -> None:
        while self._idle:
            self._taken(next(iter(self._idle))).close()


class Exchange:
    """An answer whose head is there: its body as it comes, and what becomes of the connection."""

    def __init__(self, answer: "Answer", connection: "_Connection", site: Site, transport: AsyncTransport) -> None:
        self.status, self.headers = answer.status, answer.headers
        self._answer, self._connection, self._site, self._transport = answer, connection, site, transport
        self._is_closed = False

    async def more(self) -> bytes:
        """What of the body has come since the last time; none: that was all."""
        while not (chunk := self._answer.taken()) and not self._answer.is_whole:
            await self._connection.more()
        return chunk

    def close(self) -> None:
        """The answer was read, or is given up."""
        if not self._is_closed:
            self._is_closed = True
            self._transport.release(self._connection, self._site)


class _Stream(httpx.AsyncByteStream):
    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await self._exchange.more():
            yield chunk

    async def aclose(self) -> None:
        self._exchange.close()


class _Connection(asyncio.Protocol):
    """One connection: a request, its answer, and then perhaps the next."""

    def __init__(self) -> None:
        self.rested = 0.0
        self._transport: Any = None
        self._answer: Answer | None = None
        self._fault: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._is_paused = False

    @property
    def is_fit(self) -> bool:
        """May another request be sent here?"""
        is_done = self._answer is None or (self._answer.is_whole and not self._answer.is_last)
        return is_done and self._fault is None and not self._transport.is_closing()

    def close(self) -> None:
        self._transport.abort()

    async def ask(self, request: bytes) -> Answer:
        """The beginning of the answer, up to its body."""
        answer = self._answer = Answer()
        self._transport.write(request)
        while not answer.is_begun:
            await self.more()
        return answer

    async def more(self) -> None:
        """Until something has come; raises what is wrong with it."""
        if self._fault is not None:
            raise self._fault
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None or answer.is_whole:  # nobody asked
            self._fault = httpx.RemoteProtocolError("more came than the answer")
            self._transport.abort()
            return
        try:
            answer.feed(data)
        except httpx.RemoteProtocolError as error:
            self._fault = error
            self._transport.abort()
        if answer.is_ahead and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._fault is None:
            try:
                if exc is not None:
                    raise httpx.ReadError(str(exc) or type(exc).__name__)
                if self._answer is not None:
                    self._answer.end()
                self._fault = httpx.ReadError("Server disconnected")
            except httpx.TransportError as error:
                self._fault = error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            if self._fault is not None and not (self._answer and self._answer.is_whole):
                self._waiter.set_exception(self._fault)
            else:
                self._waiter.set_result(None)


async def _opened(site: Site, allowed: Allowed) -> _Connection:
    """A connection to the first address that answers, of those that are permitted."""
    loop, door = asyncio.get_running_loop(), Door(site, allowed)
    host, port, context = door.host, door.port, tls() if site.scheme == "https" else None
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        permitted = [info for info in found if door.permits(str(info[4][0]))]
        door.check()
        if not permitted:
            raise OSError(f"{host} has no address to connect to")
        opened = await start_connection(permitted, happy_eyeballs_delay=FALLBACK_DELAY)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        name = host if context else None
        _, connection = await loop.create_connection(_Connection, sock=opened, ssl=context, server_hostname=name)
    except (OSError, UnicodeError, ssl.SSLError) as error:
        fault = os.strerror(error.errno) if isinstance(error, ConnectionError) and error.errno else str(error)
        raise httpx.ConnectError(f"cannot connect to {host}:{port}: {fault}") from error
    return connection


@cache
def tls() -> ssl.SSLContext:
    """One a process, since it takes 20 ms to make. It trusts certifi's authorities, or those of SSL_CERT_FILE."""
    return httpx.create_ssl_context()
