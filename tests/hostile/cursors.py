"""Cursors that die, move on by themselves, or want to be treated with care: P13 to P15, and P24."""

import asyncio
import json

from aiohttp import web

from tests.hostile.collection import (
    COUNT,
    ROWS,
    SIZE,
    answer,
    error,
    hang_up,
    memory,
    start,
    times,
    total,
    whole,
)


def by_position(request: web.Request) -> web.Response | None:
    """The page by `since_id`, `offset` or `page`, if one of them is asked for: what a fallback goes on with."""
    if "since_id" in request.query:
        first = whole(request, "since_id") + 1
        return answer(ROWS[first : first + SIZE], total(request))
    if request.query.keys() & {"offset", "page"}:
        size = whole(request, "per_page", SIZE)
        first = min(start(request, size), COUNT)
        return answer(ROWS[first : first + size], total(request))
    return None


async def p13_cursor_expires(request: web.Request) -> web.Response:
    """The cursor of the third page dies once, with the status `as`, or `as=200` and an error in the body. A new
    enumeration lives (`always=1`: it dies there, too, and the server gives up in the end); `moved=1`: by then the rows
    stand the other way round."""
    if found := by_position(request):
        return found
    if "cursor" not in request.query:
        enumeration, first = times(request, "enumerations"), 0
    else:
        enumeration, first = (int(part) for part in request.query["cursor"].split(":"))
    if first == 20 and (enumeration == 1 or "always" in request.query):
        status = whole(request, "as", 410) if times(request, "deaths") <= 10 else 418
        return error(status, "the cursor has expired", code="badResumptionToken")
    rows = ROWS[::-1] if "moved" in request.query and enumeration > 1 else ROWS
    link = {"next": f"{enumeration}:{first + SIZE}"} if first + SIZE < COUNT else {}
    return answer(rows[first : first + SIZE], {**total(request), **link})


async def p14_server_moves_on(request: web.Request) -> web.Response:
    """A scroll that moves on when it is asked. The reply to the request number `lose` of the first scroll is lost, or
    too late by a minute (`late=1`)."""
    if found := by_position(request):
        return found
    scroll = request.query.get("cursor") or f"scroll-{times(request, 'scrolls')}"
    positions = memory(request).values
    first = int(positions.get(scroll, 0))
    positions[scroll] = first + SIZE
    if times(request, scroll) == whole(request, "lose") and scroll == "scroll-1":
        times(request, "lost")
        await asyncio.sleep(60 if "late" in request.query else 0)
        return hang_up(request)
    return answer(ROWS[first : first + SIZE], {**total(request), "next": scroll})


async def p14_single_use(request: web.Request) -> web.Response:
    """Each cursor works once. With `lose=1` the first reply to the cursor of the second page is lost."""
    if found := by_position(request):
        return found
    cursor = request.query.get("cursor") or f"{times(request, 'enumerations')}:0"
    first = int(cursor.partition(":")[2])
    if first and times(request, cursor) > 1:
        return error(404, "this cursor has been used")
    if cursor == "1:10" and "lose" in request.query:
        times(request, "lost")
        return hang_up(request)
    link = {"next": f"{cursor.partition(':')[0]}:{first + SIZE}"} if first + SIZE < COUNT else {}
    return answer(ROWS[first : first + SIZE], {**total(request), **link})


async def p15_bound_to_its_parameters(request: web.Request) -> web.Response:
    """A cursor is good for the query that it came from. Below `/alone` it must come alone, with `verb` at most."""
    query = request.query
    if request.match_info.get("place") == "alone":
        fits = query.keys() <= {"cursor", "verb"} if "cursor" in query else "metadataPrefix" in query
    else:
        fits = (query.get("q"), query.get("limit")) == ("a b&c", "10")
    if not fits:
        return error(400, "the cursor does not belong to this query")
    first = start(request)
    link = {"next": str(first + SIZE)} if first + SIZE < COUNT else {}
    return answer(ROWS[first : first + SIZE], {**total(request), **link})


ODD = ("", "aGk+/w==", "AGK+/W==", "a&b=c%2Fd%", "{cursor};,'#?", "-1.50", "é 漢\u00a0😀")
"""The cursors of pages of 4 rows. The second and third differ in case alone; only the last cannot be a header."""


async def p24_odd_cursors(request: web.Request) -> web.Response:
    """Whoever sends a cursor that is not exactly one of those gets 400. It may come as a parameter, as one that holds
    JSON, in a header, in the body as JSON or as a form, or in the path."""
    cursors = ODD[:-1] if "x-place" in request.headers else ODD
    cursor = await _sent(request)
    if cursor not in cursors:
        return error(400, f"no such cursor: {cursor}")
    number = cursors.index(cursor)
    first, end = number * 4, (number + 1) * 4 if number + 1 < len(cursors) else COUNT
    return answer(ROWS[first:end], {"next": cursors[number + 1]} if end < COUNT else {})


async def _sent(request: web.Request) -> str:
    if "place" in request.match_info:
        return request.match_info["place"].removeprefix("first").removeprefix("=")
    if request.method == "POST" and request.content_type == "application/json":
        return str((await request.json())["variables"].get("after", ""))
    if request.method == "POST":
        return str((await request.post()).get("cursor", ""))
    if "x-place" in request.headers:
        return request.headers.get("x-cursor", "")
    if "startkey" in request.query:
        return str(json.loads(request.query["startkey"]))
    return request.query.get("cursor", "")
