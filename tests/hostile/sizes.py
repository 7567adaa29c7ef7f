"""Pages that are empty, short, capped or huge, and totals that are wrong: P8 to P10, P12, P28."""

import random
from typing import Any

from aiohttp import web

from tests.hostile.collection import COUNT, ROWS, SIZE, after, answer, start, times, total, whole

PLACES = {0: 0, 10: 10, 20: 10, 30: 20}
"""The row at which a page begins, when the second of four is empty."""


async def p08_empty_page(request: web.Request) -> web.Response:
    """The second page is empty: for ever and with more behind it (Google, DynamoDB), or the first `times` times that it
    is asked for (arXiv). `last=1` lets the cursor go on behind the last page, for ever (Crossref)."""
    first, often = start(request), whole(request, "times")
    if often:
        is_empty = first == SIZE and times(request) <= often
        return answer([] if is_empty else ROWS[first : first + SIZE], {**total(request), **after(first + SIZE)})
    if "last" in request.query:
        return answer(ROWS[first : first + SIZE], {**total(request), "next": str(first + SIZE)})
    place = PLACES.get(first, COUNT)
    documents = [] if first == SIZE else ROWS[place : place + SIZE]
    return answer(documents, {**total(request), **after(first + SIZE, COUNT + SIZE)})


SHORT = (0, 10, 13, 23, 25)
"""Pages of 10, 3, 10 and 2 rows begin here."""


async def p09_short_page(request: web.Request) -> web.Response:
    """The second page holds 3 rows of 10. By offset: rows are taken out behind the limit (`as=filtered`), so that who
    steps by what arrived sees some again."""
    if request.query.get("as") == "filtered":
        first = start(request)
        left = [ROWS[n] for n in range(first, min(first + SIZE, COUNT)) if n % 5 != 3]
        return answer(left, total(request, 20))
    if "offset" in request.query:
        first = start(request)
        end = min(first + (3 if first == 10 else SIZE), COUNT)
    else:
        number = whole(request, "page", 1) - 1 if "page" in request.query else SHORT.index(start(request))
        first, end = (SHORT[number], SHORT[number + 1]) if number < 4 else (COUNT, COUNT)
    return answer(ROWS[first:end], {**total(request), **after(end)})


async def p10_capped_size(request: web.Request) -> web.Response:
    """Ten a page, however many are asked for. With `as=skips` a page's place goes by the size that was asked for."""
    asked = whole(request, "limit", SIZE)
    first = start(request, asked if request.query.get("as") == "skips" else SIZE)
    end = min(first + min(asked, SIZE), COUNT)
    return answer(ROWS[first:end], {**total(request), **after(end)})


async def p12_total(request: web.Request) -> web.Response:
    """A total that is missing, text, capped ("10000+"), too high, too low, only on the first page, that of the page, or
    drifts by one each page."""
    first = start(request)
    said: dict[str, Any] = {
        "missing": None,
        "text": "25",
        "capped": "10000+",
        "high": 40,
        "low": 12,
        "first": 25 if first == 0 else None,
        "page": min(SIZE, COUNT - first),
        "drifting": 23 + min(first // SIZE, 2),
        "unknown": -1,
    }
    found = said[request.query["as"]]
    meta = {} if found is None else {"total": found}
    return answer(ROWS[first : first + SIZE], {**meta, **after(first + SIZE)})


async def p28_large(request: web.Request) -> web.Response:
    """One page of `documents` documents of `bytes` bytes each, that no compression makes small."""
    dice = random.Random(28)
    size = whole(request, "bytes")
    rows = [
        b'{"id":%d,"x":"%s"}' % (n, dice.randbytes(size // 2).hex().encode())
        for n in range(whole(request, "documents", 1))
    ]
    return answer(rows, total(request, len(rows)))
