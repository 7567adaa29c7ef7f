"""HTTP/1.1 as bytes: a request written, an answer read by llhttp (httptools)."""

from collections import deque
from collections.abc import Iterable

import httptools
import httpx

HEADERS, HEADER = 100, 8190
"""Of one answer: so many, each of so many bytes."""
OVERHEAD = 1024**2
"""Bytes of an answer that belong to no body and to no header: interim answers, sizes of chunks, trailers. One for each
byte of the body is free."""
FINAL = 200
"""The least status of an answer that is the last one to its request."""
AHEAD = 256 * 1024
"""Bytes of a body that nobody has taken yet; then the server waits."""


class Answer:
    """What llhttp makes of the bytes of an answer, within the bounds."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.is_begun, self.is_whole, self.is_last = False, False, False
        self._is_interim, self._is_ended_by_close = False, True
        self._chunks = deque[bytes]()
        self._waiting = 0
        self._free = OVERHEAD

    @property
    def is_ahead(self) -> bool:
        """Has enough come to let the reader catch up?"""
        return self._waiting > AHEAD and not self.is_whole

    def feed(self, data: bytes) -> None:
        """Raises `httpx.RemoteProtocolError` for what is no HTTP, or too much of what is no body."""
        self._free -= len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:  # what a call of ours raises is its context
            fault = error.__context__
            if not isinstance(fault, httpx.RemoteProtocolError):
                fault = httpx.RemoteProtocolError(f"the answer is not HTTP/1.1: {error}")
            raise fault from None
        except httptools.HttpParserUpgrade:
            raise httpx.RemoteProtocolError("the server changes the protocol") from None
        if self._free < 0:
            raise httpx.RemoteProtocolError(f"an answer with more than {OVERHEAD} bytes beside its body")

    def end(self) -> None:
        """The connection was closed: the end of an answer that does not say how long it is."""
        if self.is_begun and self._is_ended_by_close:
            self.is_whole = True
        if not self.is_whole:
            place = " in the middle of the answer" if self.is_begun else ""
            raise httpx.RemoteProtocolError(f"Server disconnected{place}")

    def taken(self) -> bytes:
        """What of the body has come since the last time."""
        if not self._chunks:
            return b""
        chunk = self._chunks.popleft() if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._waiting = 0
        return chunk

    # What llhttp calls

    def on_message_begin(self) -> None:
        if self.is_whole:
            raise httpx.RemoteProtocolError("more came than the answer")
        self.headers = []
        self._is_ended_by_close = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.is_begun:
            return  # a trailer
        if len(self.headers) >= HEADERS or len(name) + len(value) > HEADER:
            raise httpx.RemoteProtocolError(f"an answer with more than {HEADERS} headers, or one of {HEADER} bytes")
        name = name.lower()
        if name in (b"content-length", b"transfer-encoding"):
            self._is_ended_by_close = False
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._is_interim = self.status < FINAL
        self.is_begun = not self._is_interim

    def on_body(self, body: bytes) -> None:
        self._free += 2 * len(body)
        self._waiting += len(body)
        self._chunks.append(body)

    def on_message_complete(self) -> None:
        if not self._is_interim:
            self.is_whole = True
            self.is_last = not self._parser.should_keep_alive()


def written(method: str, target: bytes, headers: Iterable[tuple[bytes, bytes]], body: bytes | None) -> bytes:
    """A request as it stands on the wire."""
    lines = [b"%b: %b\r\n" % header for header in headers]
    return b"".join((method.encode(), b" ", target, b" HTTP/1.1\r\n", *lines, b"\r\n", body or b""))
