"""Where a crawl ends, or seems to: P1 to P7, and P11."""

from aiohttp import web

from tests.hostile.collection import COUNT, ROWS, SIZE, after, answer, error, memory, start, times, total, whole


async def p01_last_page_repeats_the_token(request: web.Request) -> web.Response:
    """Paddle: the last page names itself, and only `more` says that it is the last. OAI's way (`then=empty`): it names
    one more page, which is empty and names itself. `url=1` names URLs in place of cursors."""
    first = start(request)
    end = min(first + SIZE, COUNT)
    if request.query.get("then") != "empty" and end == COUNT:
        end = first
    link = str(request.rel_url.update_query(cursor=end)) if "url" in request.query else str(end)
    return answer(ROWS[first : first + SIZE], {**total(request), "next": link, "more": first + SIZE < COUNT})


async def p02_repeated_token_is_the_end(request: web.Request) -> web.Response:
    """Solr: it begins with `*`, and an answer with the mark that was sent is the end."""
    mark = request.query.get("cursorMark", "*")
    first = 0 if mark == "*" else int(mark.removeprefix("AoE"))
    end = min(first + SIZE, COUNT)
    return answer(ROWS[first:end], {**total(request), "nextCursorMark": f"AoE{end}"})


async def p03_constant_token(request: web.Request) -> web.Response:
    """Elasticsearch's scroll: one id for all pages, and the server knows where it is. With `stuck=1` it does not."""
    scroll = request.query.get("cursor") or f"scroll-{times(request, 'scrolls')}"
    positions = memory(request).values
    first = int(positions.get(scroll, 0))
    if "stuck" not in request.query:
        positions[scroll] = first + SIZE
    return answer(ROWS[first : first + SIZE], {**total(request), "next": scroll})


async def p04_cycle(request: web.Request) -> web.Response:
    """Start -> A -> B -> A, for ever; `as=url` in links, `empty=1` with nothing on the pages of the cycle."""
    letter = request.query.get("cursor", "")
    first, following = {"": (0, "A"), "A": (10, "B"), "B": (20, "A")}[letter]
    documents = [] if letter and "empty" in request.query else ROWS[first : first + SIZE]
    url = str(request.rel_url.update_query(cursor=following))
    return answer(documents, {**total(request), "next": url if request.query.get("as") == "url" else following})


async def p05_ignores_where_it_is_asked(request: web.Request) -> web.Response:
    """The first page, whatever is asked for; a cursor that is another each time does not help."""
    return answer(ROWS[:SIZE], {**total(request), "next": f"cursor-{times(request, 'asked')}"})


async def p06_clamps_to_the_last_page(request: web.Request) -> web.Response:
    """Behind the last page comes the last page: the same one (page), or the last ten rows (offset)."""
    if "page" in request.query:
        first = (min(whole(request, "page"), 3) - 1) * SIZE
    else:
        first = min(whole(request, "offset"), COUNT - SIZE)
    return answer(ROWS[first : first + SIZE], {**total(request), "pages": 3})


async def p07_past_the_end_is_an_error(request: web.Request) -> web.Response:
    """With the status that is asked for; 204 is one of them. `rest_post_invalid_page_number` is WordPress' word. With
    `leads=1` the last page names the one behind it, all the same, by a cursor or by its URL (`url=1`)."""
    first = start(request)
    if first >= COUNT:
        status = whole(request, "status", 404)
        return web.Response(status=204) if status == 204 else error(status, "rest_post_invalid_page_number")
    link = after(first + SIZE, COUNT + SIZE if "leads" in request.query else COUNT)
    if link and "url" in request.query:
        link = {"next": str(request.rel_url.update_query(cursor=first + SIZE))}
    return answer(ROWS[first : first + SIZE], {**total(request), **link})


async def p11_depth_cap(request: web.Request) -> web.Response:
    """Of the 25 rows the first 20 can be had. Then comes an error (`as=400`), an empty page, or nothing (`silent`)."""
    first, cap = start(request), whole(request, "cap", 20)
    how = request.query["as"]
    if first >= cap and how.isdigit():
        return error(int(how), "Result window is too large, from + size must be less than or equal to: [20]")
    end = min(first + SIZE, cap)
    link = after(end, cap if how == "silent" else COUNT + 1)
    return answer(ROWS[first:end], {**total(request), **link})
