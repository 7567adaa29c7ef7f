"""Cursors that are used up, move on, repeat, or lead nowhere."""

from typing import Any

from aiohttp import web

from tests.probe.server import COUNT, FEW, ROWS, SIZE, Answer, exact, number, said, times, unsure, window

SCROLLS: dict[str, int] = {}


def scrolled(request: web.Request) -> tuple[str, list[Any]]:
    """A scroll moves on whenever it is asked."""
    scroll = request.query.get("scroll_id") or f"scroll-{len(SCROLLS)}"
    start = SCROLLS.get(scroll, 0)
    SCROLLS[scroll] = start + SIZE
    return scroll, window(start)


@exact(kind="cursor")
def constant(request: web.Request) -> Answer:
    scroll, found = scrolled(request)
    return {"_scroll_id": scroll, "things": found}


@exact(kind="cursor")
def constant_with_total(request: web.Request) -> Answer:
    scroll, found = scrolled(request)
    return {"_scroll_id": scroll, "hits": {"total": COUNT, "hits": found}}


USED: set[str] = set()


@exact(kind="cursor")
def single_use(request: web.Request) -> Answer:
    asked = request.query.get("cursor")
    if asked in USED:
        return said({"error": "this cursor has been used"}, status=404)
    USED.add(str(asked)) if asked else None
    start = int(asked.partition("-")[2]) if asked else 0
    end = start + SIZE
    return {"things": window(start), "next_cursor": f"{len(USED)}x{times(request)}-{end}" if end < COUNT else None}


@exact(kind="cursor")
def last_page_repeats_its_cursor(request: web.Request) -> Answer:
    start = number(request, "cursor")
    return {"things": window(start), "next_cursor": str(start + SIZE) if start + SIZE < COUNT else str(start)}


@exact(rows=ROWS[:15], kind="cursor")
def second_of_two_pages_repeats_its_cursor(request: web.Request) -> Answer:
    start = number(request, "cursor")
    return {"things": window(start, rows=ROWS[:15]), "next_cursor": "10", "total": 15}


@exact(kind="cursor")
def last_page_has_a_cursor_and_a_flag(request: web.Request) -> Answer:
    """Paddle: only the flag says that it is the last."""
    start = number(request, "after")
    end = min(start + SIZE, COUNT)
    return {"data": window(start), "meta": {"next": str(end), "has_more": end < COUNT}}


@exact(rows=ROWS[:25], kind="cursor")
def cursors_go_on_behind_the_end(request: web.Request) -> Answer:
    """For ever, without documents."""
    start = number(request, "cursor")
    return {"things": window(start, rows=ROWS[:25]), "next_cursor": str(start + SIZE), "total": 25}


@unsure()
def cursors_go_on_behind_the_end_without_total(request: web.Request) -> Answer:
    start = number(request, "cursor")
    return {"things": window(start, rows=ROWS[:25]), "next_cursor": str(start + SIZE)}


PLACES = {0: 0, 10: 10, 20: 10, 30: 20, 40: 30, 50: 40}


@exact(kind="cursor")
def empty_page_in_the_middle(request: web.Request) -> Answer:
    """The second page is empty, and leads on (AIP-158, DynamoDB)."""
    start = number(request, "pageToken")
    found = [] if start == SIZE else window(PLACES[start])
    return {"things": found, **({"nextPageToken": str(start + SIZE)} if start < 50 else {})}


@exact(kind="cursor")
def dies_on_the_third_page(request: web.Request) -> Answer:
    """It answers the third page with an error, the first time."""
    start = number(request, "cursor")
    if start == 20 and times(request) == 3:
        return said({"error": "try again"}, status=503)
    return {"things": window(start), "next_cursor": str(start + SIZE) if start + SIZE < COUNT else None}


@unsure()
def dies_on_the_third_page_for_good(request: web.Request) -> Answer:
    start = number(request, "cursor")
    if start == 20:
        return said({"error": "result window is too large"}, status=400)
    return {"things": window(start), "next_cursor": str(start + SIZE) if start + SIZE < COUNT else None}


@unsure()
def ends_before_its_total(request: web.Request) -> Answer:
    start = number(request, "cursor")
    return {"things": window(start), "next_cursor": str(start + SIZE) if start < 10 else None, "total": COUNT}


@exact(rows=FEW, kind="none")
def flag_says_that_it_is_all(_: web.Request) -> Answer:
    return {"things": FEW, "has_more": False}
