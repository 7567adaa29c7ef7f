"""APIs that are asked by a document's number, and the ways in which that goes wrong."""

from typing import Any

from aiohttp import web

from tests.probe.server import COUNT, ROWS, SIZE, Answer, exact, number, said, unsure, window


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
