"""APIs that are asked by a page's number, and the ways in which that goes wrong."""

from aiohttp import web

from tests.probe.server import COUNT, FEW, SIZE, Answer, exact, number, paged, said, times, unsure, window


@exact(kind="page")
def one_based(request: web.Request) -> Answer:
    """Page 0 is page 1: who begins there has it twice."""
    page = max(number(request, "page", 1), 1)
    return {"items": window((page - 1) * SIZE), "total": COUNT}


@exact(kind="page")
def one_based_strictly(request: web.Request) -> Answer:
    """Page 0 is an error, and so is every page behind the last one."""
    page = number(request, "page", 1)
    if not 1 <= page <= 5:
        return said({"error": "no such page"}, status=404)
    return {"items": window((page - 1) * SIZE)}


@exact(kind="page")
def zero_based(request: web.Request) -> Answer:
    """Who begins with page 1 loses ten documents."""
    return {"items": paged(request, base=0), "total": COUNT}


@exact(kind="page")
def zero_based_with_two_pages(request: web.Request) -> Answer:
    return {"items": paged(request, base=0, size=30)}


@exact(kind="page")
def spring(request: web.Request) -> Answer:
    """Its `number` is the page, its `last` is a flag."""
    page = number(request, "page")
    return {
        "content": window(page * SIZE),
        "number": page,
        "size": SIZE,
        "totalElements": COUNT,
        "totalPages": 5,
        "first": page == 0,
        "last": page == 4,
        "pageable": {"offset": page * SIZE, "pageNumber": page, "pageSize": SIZE, "paged": True},
    }


@exact("?hitsPerPage=10&query=row", kind="page")
def algolia(request: web.Request) -> Answer:
    page = number(request, "page")
    return {"hits": window(page * SIZE), "nbHits": COUNT, "page": page, "nbPages": 5, "hitsPerPage": SIZE}


@exact("?page[size]=10", kind="page")
def brackets(request: web.Request) -> Answer:
    start = (number(request, "page[number]", 1) - 1) * SIZE
    return {"data": window(start), "meta": {"total": str(COUNT)}}


@exact(kind="page")
def json_server(request: web.Request) -> Answer:
    """An array, and all else in headers."""
    return said(paged(request, "_page"), {"X-Total-Count": str(COUNT)})


@exact("?per_page=10", kind="page")
def wordpress(request: web.Request) -> Answer:
    page = number(request, "page", 1)
    if page > 5:
        return said({"code": "rest_post_invalid_page_number"}, status=400)
    return said(window((page - 1) * SIZE), {"X-WP-Total": str(COUNT), "X-WP-TotalPages": "5"})


@exact("?page=1", kind="page")
def named_in_the_url(request: web.Request) -> Answer:
    return {"items": paged(request)}


@exact("?per_page=200", kind="page")
def capped_and_pages_by_the_cap(request: web.Request) -> Answer:
    return {"items": paged(request), "total": COUNT}


@exact("?per_page=20", kind="page")
def capped_and_pages_by_what_is_asked(request: web.Request) -> Answer:
    """bioRxiv's trap: 20 are asked for, 10 come, and page 2 begins at 20."""
    asked = number(request, "per_page", SIZE)
    return {"items": window((number(request, "page", 1) - 1) * asked, min(asked, SIZE)), "total": COUNT}


@exact(kind="page")
def clamped_to_the_last_page(request: web.Request) -> Answer:
    page = min(max(number(request, "page", 1), 1), 5)
    return {"items": window((page - 1) * SIZE), "total": COUNT}


@exact(kind="page")
def clamped_without_total(request: web.Request) -> Answer:
    page = min(max(number(request, "page", 1), 1), 5)
    return {"items": window((page - 1) * SIZE)}


@unsure()
def begins_again_behind_the_end(request: web.Request) -> Answer:
    """Page 6 is page 1."""
    return {"items": window((number(request, "page", 1) - 1) % 5 * SIZE), "total": COUNT}


@exact(kind="page")
def begins_again_and_says_how_many_pages(request: web.Request) -> Answer:
    return {"items": window((number(request, "page", 1) - 1) % 5 * SIZE), "total": COUNT, "pages": 5}


@exact(kind="page")
def past_the_end_is_400_with_total(request: web.Request) -> Answer:
    page = number(request, "page", 1)
    if page > 5:
        return said({"error": "no such page"}, status=400)
    return {"items": window((page - 1) * SIZE), "total": COUNT}


@unsure()
def past_the_end_is_400(request: web.Request) -> Answer:
    """That may be the end, or as far as the API goes."""
    page = number(request, "page", 1)
    if page > 5:
        return said({"error": "no such page"}, status=400)
    return {"items": window((page - 1) * SIZE)}


@exact(kind="page")
def past_the_end_is_204(request: web.Request) -> Answer:
    found = paged(request)
    return {"items": found, "total": COUNT} if found else web.Response(status=204)


@unsure()
def past_the_end_is_500(request: web.Request) -> Answer:
    found = paged(request)
    return {"items": found, "total": COUNT} if found else web.Response(status=500)


@unsure()
def overlapping_pages(request: web.Request) -> Answer:
    """Each page begins with the last document of the page before it."""
    return {"items": window((number(request, "page", 1) - 1) * 9), "total": COUNT}


@unsure()
def pages_that_skip(request: web.Request) -> Answer:
    """It declares fewer pages than the total makes: it counts them by a size that it does not send."""
    return {"items": window((number(request, "page", 1) - 1) * 20), "total": COUNT, "total_pages": 3}


@exact("?page=1&limit=10", kind="page")
def page_and_limit(request: web.Request) -> Answer:
    return {"data": paged(request), "pagination": {"page": number(request, "page", 1), "limit": 10, "count": COUNT}}


@exact(rows=FEW, kind="page")
def one_page_that_counts(request: web.Request) -> Answer:
    """Nothing says that there is one page; page 2 is empty, and page 1 is not."""
    return {"items": FEW if number(request, "page", 1) == 1 else []}


@exact(kind="page")
def of_size_one(request: web.Request) -> Answer:
    return {"items": paged(request, size=1), "total": COUNT}


@exact("?limit=1", kind="offset")
def of_size_one_by_offset(request: web.Request) -> Answer:
    return {"items": window(number(request, "offset"), 1), "total": COUNT}


@exact("?count=1", kind="offset")
def of_size_one_from_one(request: web.Request) -> Answer:
    return {"Resources": window(max(number(request, "startIndex", 1), 1) - 1, 1), "totalResults": COUNT}


@exact(kind="page")
def asks_for_patience_first(request: web.Request) -> Answer:
    if times(request) == 1:
        return web.Response(status=429, headers={"Retry-After": "1"})
    return {"items": paged(request), "total": COUNT}
