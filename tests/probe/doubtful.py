"""What nobody can know, and totals that are none."""

import random

from aiohttp import web

from tests.probe.server import COUNT, FEW, ROWS, SIZE, Answer, exact, number, paged, times, unsure, window


@unsure()
def ignores_everything(_: web.Request) -> Answer:
    return {"items": window(0), "total": COUNT}


@unsure()
def says_nothing(_: web.Request) -> Answer:
    """One page, and no word on whether there is another."""
    return {"items": FEW}


@unsure()
def another_order_each_time(_: web.Request) -> Answer:
    return {"items": random.sample(ROWS, SIZE), "total": COUNT}


@unsure()
def another_order_for_each_page(request: web.Request) -> Answer:
    """The same page is always the same; no ORDER BY."""
    start = number(request, "offset")
    rows = random.Random(start).sample(ROWS, COUNT)
    return {"items": window(start, rows=rows), "total": COUNT}


@unsure()
def ignores_pages_and_stamps_documents(request: web.Request) -> Answer:
    """Each answer holds the same documents, and none is equal to what it was before."""
    stamp = times(request)
    return {"items": [{"title": row["title"], "read": stamp} for row in window(0)], "total": COUNT}


@unsure()
def pages_are_a_filter(request: web.Request) -> Answer:
    """`page` is a member of the documents: two of them stand on page 2 of a book."""
    if "page" in request.query:
        return {"items": [row for row in ROWS if str(row["id"] // 2) == request.query["page"]], "total": COUNT}
    return {"items": window(0), "total": COUNT}


@unsure("?offset=0")
def one_comes_at_the_front(request: web.Request) -> Answer:
    """After the first answer: by offset it then looks as if counting began with 1."""
    rows = ROWS if times(request) == 1 else [{"id": 99, "title": "new", "of": {"kind": "row"}}, *ROWS]
    return {"items": window(number(request, "offset"), rows=rows)}


@unsure()
def new_ones_at_the_front(request: web.Request) -> Answer:
    """By page, newest first, and there are newer ones each time."""
    newest = 1000 + 2 * times(request)
    rows = [{"id": n} for n in range(newest, 900, -1)]
    return {"items": window((number(request, "page", 1) - 1) * SIZE, rows=rows)}


# Totals that are none


@exact(kind="page")
def count_is_of_the_page(request: web.Request) -> Answer:
    found = paged(request)
    return {"count": len(found), "results": found}


@exact("?limit=10", kind="offset")
def total_is_of_the_page(request: web.Request) -> Answer:
    found = window(number(request, "offset"))
    return {"total": len(found), "data": found}


@exact(kind="page")
def total_is_too_low(request: web.Request) -> Answer:
    return {"total": 12, "data": paged(request)}


@exact(kind="page")
def total_is_capped(request: web.Request) -> Answer:
    return {"total": "10000+", "data": paged(request)}


@exact(rows=FEW)
def all_of_them(_: web.Request) -> Answer:
    return {"data": FEW, "total": len(FEW)}


@unsure()
def says_how_many_are_here(_: web.Request) -> Answer:
    """A plain count is that of the page, or of all."""
    return {"data": FEW, "count": len(FEW)}


@exact(rows=[])
def nothing_there(_: web.Request) -> Answer:
    return {"data": [], "total": 0}


@unsure()
def nothing_said(_: web.Request) -> Answer:
    return {"data": []}
