"""Compressed bodies, a small piece at a time: 16 KiB may hold 500 MiB.

httpx' own decoders give all of a chunk at once, take a body that is cut short for a whole one, and of a gzip file with
several members (RFC 1952, 2.2) the first for all.
"""

import zlib
from collections.abc import Callable, Iterator
from typing import Any

import brotli  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]  # it has no types
import zstandard

from pagefleet.redaction import cut

PIECE = 256 * 1024
"""Bytes at once, about."""
SLICE = 256
"""Bytes of zstd that are decompressed at once: it cannot be told to stop, and 4 bytes may be a block of 128 KiB."""
WINDOW = 8 * 1024**2
"""Bytes that zstd may look back; no more is allowed in HTTP (RFC 9659)."""
GZIP = b"\x1f\x8b"
_brotli_module: Any = brotli
FAULTS: tuple[type[Exception], ...] = (zlib.error, _brotli_module.error, zstandard.ZstdError)


class Uninflatable(Exception):
    """The body is not what its content encoding says, or is cut short."""


class Inflater:
    """Decompresses one body: `feed` it, then `end` it. `encoding` is a Content-Encoding."""

    def __init__(self, encoding: str) -> None:
        names = [name for word in encoding.split(",") if (name := word.strip().lower()) in KNOWN and name != "identity"]
        if len(names) > 1:
            raise Uninflatable(f"it is compressed more than once ({cut(encoding, 80)})")
        self._name = names[0] if names else "identity"
        self.is_whole = True
        self._inflate: Callable[[bytes], Iterator[bytes]] = KNOWN[self._name](self)
        self._has_begun = False

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What a chunk holds, in pieces."""
        self._has_begun = self._has_begun or bool(chunk)
        try:
            yield from self._inflate(chunk)
        except FAULTS as error:
            raise Uninflatable(f"it is not {self._name} ({error})") from error

    def end(self) -> None:
        """Raises `Uninflatable` when something is missing."""
        if self._has_begun and not self.is_whole:
            raise Uninflatable(f"its {self._name} is cut short")


def _identity(_: Inflater) -> Callable[[bytes], Iterator[bytes]]:
    return lambda chunk: iter((chunk,))


def _gzip(inflater: Inflater) -> Callable[[bytes], Iterator[bytes]]:
    """One member or several; what stands behind the last and is none is padding."""
    engine, tail, is_over = zlib.decompressobj(zlib.MAX_WBITS | 16), b"", False

    def inflate(chunk: bytes) -> Iterator[bytes]:
        nonlocal engine, tail, is_over
        chunk, tail = tail + chunk, b""
        while chunk and not is_over:
            if engine.eof:
                if len(chunk) < len(GZIP):
                    tail = chunk
                    return
                if not chunk.startswith(GZIP):
                    is_over = True
                    return
                engine = zlib.decompressobj(zlib.MAX_WBITS | 16)
            yield engine.decompress(chunk, PIECE)
            chunk = engine.unconsumed_tail or engine.unused_data
            inflater.is_whole = engine.eof

    inflater.is_whole = False
    return inflate


def _deflate(inflater: Inflater) -> Callable[[bytes], Iterator[bytes]]:
    """In zlib's envelope, as RFC 9110 has it, or bare, as many servers send it."""
    engine: Any = None
    head = b""

    def inflate(chunk: bytes) -> Iterator[bytes]:
        nonlocal engine, head
        if engine is None:
            head += chunk
            if len(head) < 2:  # noqa: PLR2004 — bytes of zlib's envelope
                return
            is_wrapped = head[0] & 15 == zlib.DEFLATED and int.from_bytes(head[:2], "big") % 31 == 0
            engine, chunk = zlib.decompressobj(zlib.MAX_WBITS if is_wrapped else -zlib.MAX_WBITS), head
        while chunk and not engine.eof:
            yield engine.decompress(chunk, PIECE)
            chunk = engine.unconsumed_tail
        inflater.is_whole = engine.eof

    inflater.is_whole = False
    return inflate


def _brotli(inflater: Inflater) -> Callable[[bytes], Iterator[bytes]]:
    engine = _brotli_module.Decompressor()

    def inflate(chunk: bytes) -> Iterator[bytes]:
        if chunk and engine.is_finished():  # it says so itself only of what comes in one chunk with the end
            raise Uninflatable("its br goes on behind its end")
        while not engine.is_finished() and (piece := engine.process(chunk, output_buffer_limit=PIECE)):
            yield piece
            chunk = b""
        inflater.is_whole = engine.is_finished()

    inflater.is_whole = False
    return inflate


def _zstd(inflater: Inflater) -> Callable[[bytes], Iterator[bytes]]:
    """One frame or several."""
    maker = zstandard.ZstdDecompressor(max_window_size=WINDOW)
    engine = maker.decompressobj()

    def inflate(chunk: bytes) -> Iterator[bytes]:
        nonlocal engine
        for start in range(0, len(chunk), SLICE):
            part = chunk[start : start + SLICE]
            while part:
                engine = maker.decompressobj() if engine.eof else engine
                yield engine.decompress(part)
                part = engine.unused_data if engine.eof else b""
        inflater.is_whole = engine.eof

    inflater.is_whole = False
    return inflate


KNOWN = {"identity": _identity, "gzip": _gzip, "x-gzip": _gzip, "deflate": _deflate, "br": _brotli, "zstd": _zstd}
