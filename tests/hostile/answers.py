"""Answers that are no page, or that come when it is too late: P21 to P23, P26, P27, P30."""

import asyncio
import gzip
import time
import zlib
from email.utils import formatdate

from aiohttp import web

from tests.hostile.collection import (
    COUNT,
    ROWS,
    SIZE,
    after,
    answer,
    body,
    error,
    hang_up,
    honest,
    memory,
    start,
    times,
    total,
    whole,
)


def is_struck(request: web.Request) -> bool:
    """The second page fares badly: the first `times` times that it is asked for, or for ever."""
    often = whole(request, "times")
    return start(request) == SIZE and (not often or times(request) <= often)


async def p21_error_in_200(request: web.Request) -> web.Response:
    """The second page is an error with 200: in place of the page, beside a part of it, beside null; a page of HTML that
    wants a login or a browser."""
    if not is_struck(request):
        return honest(request)
    match request.query["as"]:
        case "html":
            return web.Response(text="<!doctype html><title>Sign in</title>", content_type="text/html")
        case "alone":
            return error(200, "ratelimited", ok=False)
        case "null":
            return web.json_response({"meta": {}, "data": None, "error": {"message": "THROTTLED"}})
        case _:  # a part
            return answer(ROWS[10:13], {**total(request), "next": "20"}, error={"message": "1 of 3 shards failed"})


async def p22_broken_body(request: web.Request) -> web.Response:
    """The second page is half its JSON, a lost connection, a body without its end, gzip that is none or is cut, or not
    quite JSON."""
    if not is_struck(request):
        return honest(request)
    whole_body = body(ROWS[10:20], {**total(request), "next": "20"})
    half = whole_body[: len(whole_body) // 2]
    how, packed = request.query["as"], gzip.compress(whole_body)
    lost = {
        "connection": b"",
        "length": b"Content-Length: %d\r\n\r\n" % len(whole_body) + half,
        "chunks": b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(half) + half + b"\r\n",
        "close": b"Connection: close\r\n\r\n" + half,  # HTTP/1.0's way: its end is the body's, wherever it comes
    }
    if how in lost:
        return hang_up(request, lost[how])
    broken = {
        "gzip": half,
        "gzip-cut": packed[: len(packed) // 2],
        "half": half,
        "nothing": b"",
        "comma": whole_body.replace(b"]}", b",]}"),
        "nan": whole_body.replace(b"1.0", b"NaN"),
        "control": whole_body.replace("漢".encode(), b"\x01"),
        "bytes": whole_body.replace("漢".encode(), b"\xff"),
        "surrogate": whole_body.replace(rb"\ude00", b""),
    }
    encoding = {"content-encoding": "gzip"} if how.startswith("gzip") else {}
    return web.Response(body=broken[how], headers={"content-type": "application/json", **encoding})


async def p22_broken_lines(request: web.Request) -> web.Response:
    """The rows, a line each, and how many there are in a header. What comes ends behind the third, as if that were all:
    in a body of a longer length, of chunks without an end, of gzip without an end, or of no known length at all."""
    how = request.query["as"]
    if how == "fine" or times(request) > (whole(request, "times") or 1000):
        text = b"\n".join(ROWS) + b"\n"
        return web.Response(body=text, headers={"content-type": "application/x-ndjson", "x-total": str(COUNT)})
    some, head = b"\n".join(ROWS[:3]) + b"\n", b"X-Total: %d\r\n" % COUNT
    engine = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    packed = engine.compress(some) + engine.flush(zlib.Z_FULL_FLUSH)
    rest = {
        "length": b"Content-Length: 9000\r\n\r\n" + some,
        "chunks": b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(some) + some + b"\r\n",
        "gzip": b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed,
        "close": b"Connection: close\r\n\r\n" + some,
    }[how]
    return hang_up(request, head + rest, "application/x-ndjson")


async def p22_broken_xml(request: web.Request) -> web.Response:
    """XML, a record a page: the second holds characters that XML has no place for, is cut, or names an entity."""
    number, how = start(request), request.query["as"]
    texts = {"characters": "a\x0bb&#11;c\x00", "entity": "&file;"}
    text = texts.get(how, "") if number == 1 else f"title {number}"
    more = f"<next>{number + 1}</next>" if number < 2 else ""
    head = '<!DOCTYPE list [<!ENTITY file SYSTEM "file:///etc/hostname">]>' if text == "&file;" else ""
    page = f'<?xml version="1.0"?>{head}<list><record id="{number}"><title>{text}</title></record>{more}</list>'
    end = len(page) // 2 if how == "cut" and number == 1 else None
    return web.Response(text=page[:end], content_type="text/xml")


async def p23_patience(request: web.Request) -> web.Response:
    """The second page is refused `times` times (default: once), with the ways to say for how long: `seconds`."""
    if start(request) != SIZE or times(request) > whole(request, "times", 1):
        return honest(request)
    seconds = whole(request, "seconds")
    now = int(time.time())
    status, headers = {
        "429": (429, {}),
        "429-seconds": (429, {"Retry-After": str(seconds)}),
        "429-date": (429, {"Retry-After": formatdate(now + seconds, usegmt=True)}),
        "429-epoch": (429, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(now + seconds)}),
        "429-epoch-ms": (429, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str((now + seconds) * 1000)}),
        "429-delta": (429, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(seconds)}),
        "429-ratelimit-reset": (429, {"RateLimit-Remaining": "0", "RateLimit-Reset": str(seconds)}),
        "429-ratelimit": (429, {"RateLimit": f'"hour";r=5;t=9, "default";r=0;t={seconds}'}),
        "403-seconds": (403, {"Retry-After": str(seconds)}),
        "403-epoch": (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(now + seconds)}),
        "403-left": (403, {"X-RateLimit-Remaining": "7", "X-RateLimit-Reset": str(now + seconds)}),
        "403": (403, {}),
        "503-seconds": (503, {"Retry-After": str(seconds)}),
        "503": (503, {}),
    }[request.query["as"]]
    return error(status, "slow down", headers)


async def p26_token_dies(request: web.Request) -> web.Response:
    """`Bearer hunter2-first` is good for two pages, `Bearer hunter2-second` for all."""
    token = request.headers.get("authorization")
    if token == "Bearer hunter2-second" or (token == "Bearer hunter2-first" and times(request, "first") <= 2):
        return honest(request)
    return error(401, "the token has expired", {"WWW-Authenticate": 'Bearer error="invalid_token"'})


POISON = 13


async def p27_poison_record(request: web.Request) -> web.Response:
    """A page with row 13 on it is an error, until somebody has mended that (`memory.values["mended"]`). Pages are as
    large as `limit` says."""
    size = whole(request, "limit", SIZE)
    first = start(request, size)
    if first <= POISON < first + size and not memory(request).values.get("mended"):
        return error(500, "Internal Server Error")
    return answer(ROWS[first : first + size], {**total(request), **after(first + size)})


async def p30_two_workers(request: web.Request) -> web.Response:
    """As it should be. The first answer about the row `wait` waits for a word (`memory.values["go"]`)."""
    if start(request) == whole(request, "wait", -1) and times(request) == 1:
        times(request, "waiting")
        while not memory(request).values.get("go"):  # noqa: ASYNC110  # it comes from another thread
            await asyncio.sleep(0.002)
    return honest(request)
