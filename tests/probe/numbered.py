"""APIs that are asked by a page's or a document's number, and the ways in which that goes wrong."""

import itertools
import random
from typing import Any

from aiohttp import web

from tests.probe.server import COUNT, FEW, ROWS, SIZE, Answer, exact, number, paged, said, times, unsure, window

# Pages


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


# Documents


@exact("?limit=200", kind="offset")
def capped_offset(request: web.Request) -> Answer:
    """dlt steps by what it asked for, and loses three of four documents."""
    return {"data": window(number(request, "offset"), min(number(request, "limit", SIZE), SIZE)), "total": COUNT}


@exact("?startIndex=1&count=10", kind="offset")
def scim(request: web.Request) -> Answer:
    """Counts from 1, and takes 0 for 1."""
    start = max(number(request, "startIndex", 1), 1)
    found = window(start - 1)
    return {"totalResults": COUNT, "startIndex": start, "itemsPerPage": len(found), "Resources": found}


@exact("?rows=10", kind="offset")
def ckan(request: web.Request) -> Answer:
    return {"success": True, "result": {"count": COUNT, "results": window(number(request, "start")), "facets": {}}}


@exact("?q=*:*&rows=10", kind="offset")
def solr(request: web.Request) -> Answer:
    start = number(request, "start")
    header = {"status": 0, "QTime": 3, "params": {"q": "*:*", "rows": "10"}}
    return {"responseHeader": header, "response": {"numFound": COUNT, "start": start, "docs": window(start)}}


HITS = [{"_index": "i", "_id": str(row["id"]), "_source": row} for row in ROWS]
FEATURES = [{"attributes": row} for row in ROWS]


@exact("?size=10", HITS, "offset")
def elasticsearch(request: web.Request) -> Answer:
    """Its total is only a lower bound."""
    hits = window(number(request, "from"), rows=HITS)
    return {"took": 2, "hits": {"total": {"value": 40, "relation": "gte"}, "max_score": 1.0, "hits": hits}}


@exact("?$limit=10", kind="offset")
def socrata(request: web.Request) -> Answer:
    return window(number(request, "$offset"))


@exact(kind="offset")
def only_skip(request: web.Request) -> Answer:
    """A name that nothing hints at, among all that are tried at once."""
    return {"products": window(number(request, "skip")), "total": COUNT}


@exact("?rows=10", kind="offset")
def strict(request: web.Request) -> Answer:
    """Unknown parameters are refused, as Crossref does."""
    if request.query.keys() - {"rows", "offset"}:
        return said({"status": "failed"}, status=400)
    items = window(number(request, "offset"))
    message: dict[str, Any] = {"items": items, "total-results": COUNT, "items-per-page": SIZE, "facets": {}}
    return {"status": "ok", "message-type": "work-list", "message": message}


@exact(kind="page")
def start_counts_pages(request: web.Request) -> Answer:
    """`start` is a page here, from 0: by documents, nine of ten would be skipped."""
    return {"items": window(number(request, "start") * SIZE), "start": number(request, "start"), "total": COUNT}


@unsure()
def offset_is_rounded(request: web.Request) -> Answer:
    """Down to the begin of a page."""
    return {"items": window(number(request, "offset") // SIZE * SIZE), "total": COUNT}


@unsure()
def offset_clamped_to_the_last_ten(request: web.Request) -> Answer:
    """Behind the end come the last ten, some of them for the second time."""
    return {"items": window(min(number(request, "offset"), COUNT - SIZE)), "total": COUNT}


@exact("?resultRecordCount=10&f=json", FEATURES, "offset")
def arcgis(request: web.Request) -> Answer:
    start = number(request, "resultOffset")
    features = window(start, rows=FEATURES)
    more = {"exceededTransferLimit": True} if start + SIZE < COUNT else {}
    return {"objectIdFieldName": "id", "fields": [{"name": "id"}, {"name": "title"}], "features": features, **more}


@exact("?limit=10", kind="offset")
def gbif(request: web.Request) -> Answer:
    start = number(request, "offset")
    return {
        "offset": start,
        "limit": SIZE,
        "endOfRecords": start + SIZE >= COUNT,
        "count": COUNT,
        "results": window(start),
    }


# What nobody can know


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


# Where the documents are

FACETS = [{"name": f"facet {n}", "id": f"f{n}"} for n in range(30)]


@exact(kind="page")
def beside_facets(request: web.Request) -> Answer:
    return {"facets": FACETS, "data": paged(request), "total": COUNT}


@exact(kind="page")
def beside_an_array_that_stays(request: web.Request) -> Answer:
    """Neither name says anything; one array is the same on each page."""
    return {"alpha": FACETS, "beta": paged(request), "total": COUNT}


@unsure()
def two_arrays_that_move(request: web.Request) -> Answer:
    page = number(request, "page", 1)
    people = [{"id": f"p{n}"} for n in range(page * 5, page * 5 + 5)]
    return {"alpha": paged(request), "omega": people}


@exact(kind="page")
def called_like_the_url(request: web.Request) -> Answer:
    users = [{"id": n} for n in itertools.islice(itertools.count(), 5)]
    return {"users": users, "things": paged(request), "total": COUNT}


@exact(kind="page")
def deep(request: web.Request) -> Answer:
    return {"response": {"status": "ok", "body": {"list": paged(request), "total": str(COUNT)}}}


@exact(kind="page")
def odd_names(request: web.Request) -> Answer:
    return {"the data.of it": {"@list": paged(request)}, "the total": COUNT}


@exact(kind="page")
def by_their_ids(request: web.Request) -> Answer:
    return {"query": {"pages": {str(row["id"]): row for row in paged(request)}}}


@exact(rows=[[n, f"row {n}"] for n in range(COUNT)], kind="page")
def arrays(request: web.Request) -> Answer:
    return {"columns": ["id", "title"], "rows": [[row["id"], row["title"]] for row in paged(request)], "total": COUNT}


@exact(rows=[f"row {n}" for n in range(COUNT)], kind="page")
def scalars(request: web.Request) -> Answer:
    return {"names": [row["title"] for row in paged(request)], "total": COUNT}


# Patience


@exact(kind="page")
def asks_for_patience_first(request: web.Request) -> Answer:
    if times(request) == 1:
        return web.Response(status=429, headers={"Retry-After": "1"})
    return {"items": paged(request), "total": COUNT}
