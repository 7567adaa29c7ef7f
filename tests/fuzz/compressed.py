"""Compressed bodies."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import brotli  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]  # it has no types
import zstandard

from pagefleet.errors import PagefleetError
from pagefleet.http import _Body  # pyright: ignore[reportPrivateUsage]  # the bounds are there
from pagefleet.inflate import Inflater, Uninflatable
from pagefleet.limits import Limits
from pagefleet.page import Request
from tests.fuzz.draw import Draw

URL = "https://api.example.org/things"
TWICE = "gzip, br"
_brotli: Any = brotli
ENCODINGS = ["gzip", "x-gzip", "deflate", "br", "zstd", "identity", "", "GZIP", "aws-chunked,gzip", TWICE]
LIMITS = Limits(body=2 * 1024**2, ratio=50)
LARGEST_PIECE = 8 * 1024**2
"""What 256 bytes of zstd can make at most."""


def inflate(draw: Draw) -> None:
    """What comes out does not depend on how it came, is within the limits, and comes back from each encoding."""
    encoding = draw.choice(ENCODINGS)
    is_honest = draw.flag() and encoding != TWICE
    places = [draw.number(0, 4096) for _ in range(draw.number(0, 4))]
    sent = draw.body([bytes(20_000), bytes(range(256)), b"a", b"\x1f\x8b\x08\x00"])
    body = _compressed(encoding, sent, draw.number(0, 4096)) if is_honest else sent
    cuts = sorted(place % (len(body) + 1) for place in places)
    whole = _inflated(encoding, [body])
    chunks = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert _inflated(encoding, chunks) == whole, "it depends on how it came"
    if is_honest and len(sent) <= LIMITS.body:
        assert whole == sent, "it does not come back"
        if body != sent and cuts and len(body) // 2 < cuts[0] < len(body):
            assert _inflated(encoding, [body[: cuts[0]]]) != sent, "what is cut short is taken for whole"
    with suppress(PagefleetError, Uninflatable):
        bounded = _Body(Request("GET", URL), {"content-encoding": encoding}, LIMITS)
        for chunk in chunks:
            bounded.add(chunk)
        assert len(bounded.whole()) <= LIMITS.body, "it is larger than the limits"


def _inflated(encoding: str, chunks: list[bytes]) -> bytes | None:
    """None: it is not what it is said to be, or larger than a page may be."""
    body = b""
    try:
        inflater = Inflater(encoding)
        for piece in _pieces(inflater, chunks):
            assert len(piece) <= LARGEST_PIECE, f"a piece of {len(piece)} bytes"
            body += piece
            if len(body) > LIMITS.body:
                return None
        inflater.end()
    except Uninflatable:
        return None
    return body


def _pieces(inflater: Inflater, chunks: list[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        yield from inflater.feed(chunk)


def _compressed(encoding: str, plain: bytes, place: int) -> bytes:
    """Where that may be, in two parts: the second begins at this place."""
    parts = [part for part in (plain[:place], plain[place:]) if part] or [plain]
    match encoding:
        case "gzip" | "x-gzip" | "GZIP" | "aws-chunked,gzip":
            return b"".join(map(gzip.compress, parts))
        case "deflate":
            return zlib.compress(plain)
        case "br":
            return bytes(_brotli.compress(plain, quality=2))
        case "zstd":
            return b"".join(map(zstandard.compress, parts))
        case _:
            return plain
