"""Rows that move while they are read: P16, P17, P25, P29."""

import random

from aiohttp import web

from tests.api import document
from tests.hostile.collection import COUNT, ROWS, SIZE, after, answer, start, times, total, whole

NEW = document("p", 99)


async def p16_rows_move(request: web.Request) -> web.Response:
    """After the first answer the first row goes (`as=delete`), or a new one comes before it (`as=insert`). By offset,
    page, or a cursor that is an offset in disguise; `since_id` is not moved by it."""
    rows = list(ROWS)
    if times(request, "asked") > 1:
        rows = rows[1:] if request.query["as"] == "delete" else [NEW, *rows]
    if "since_id" in request.query:
        since = whole(request, "since_id", -1)
        later = sorted((row for row in rows if _id(row) > since), key=_id)
        return answer(later[:SIZE], total(request, len(rows)))
    first = start(request)
    return answer(rows[first : first + SIZE], {**total(request, len(rows)), **after(first + SIZE, len(rows))})


def _id(row: bytes) -> int:
    return 99 if row == NEW else ROWS.index(row)


async def p16_page_changes(request: web.Request) -> web.Response:
    """One page of 1,200 rows; each time that it is asked for the first one is at its end."""
    turned = times(request) - 1
    rows = [document("p", number) for number in range(1200)]
    return answer([*rows[turned:], *rows[:turned]], {"total": 1200})


async def p17_unstable_order(request: web.Request) -> web.Response:
    """Each answer is a window on another order, as with ties and no ORDER BY."""
    first = start(request)
    rows = random.Random(first).sample(ROWS, COUNT)
    return answer(rows[first : first + SIZE], {**total(request), **after(first + SIZE)})


async def p25_feed(request: web.Request) -> web.Response:
    """Newest first, and before each answer but the first two more have come. By offset, by page, or by `max_id`."""
    newest = COUNT + 2 * (times(request, "asked") - 1)
    rows = [document("p", number) for number in range(newest)][::-1]
    if "max_id" in request.query:
        rows = rows[newest - whole(request, "max_id") :]
    first = start(request)
    return answer(rows[first : first + SIZE], total(request, newest))


async def p29_parents(request: web.Request) -> web.Response:
    """Three parents; below each, at `/<id>/children`, three children with the same ids as those of the others, two a
    page. The second parent's are gone, 404, if `gone=1`."""
    place = request.match_info.get("place")
    if place is None:
        return answer([b'{"id": %d}' % number for number in range(3)])
    parent = int(place.partition("/")[0])
    if "gone" in request.query and parent == 1:
        return web.Response(status=404)
    first = start(request, 2)
    return answer([b'{"id": %d, "of": %d}' % (child, parent) for child in range(3)][first : first + 2], {"total": 3})
