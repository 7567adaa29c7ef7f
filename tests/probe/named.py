"""APIs that name the next page by a cursor, a number or a key."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from tests.probe.server import COUNT, SIZE, Answer, exact, number, paged, said, times, unsure, url, window


def cursor(request: web.Request, name: str = "cursor") -> tuple[int, str | None]:
    """Where the page begins, and the cursor of the next one. Cursors have to be escaped."""
    start = int(request.query.get(name, "c/+0=").strip("c/+=") or 0)
    return start, f"c/+{start + SIZE}=" if start + SIZE < COUNT else None


@exact(kind="cursor")
def slack(request: web.Request) -> Answer:
    start, following = cursor(request)
    return {"ok": True, "members": window(start), "response_metadata": {"next_cursor": following or ""}}


@exact("?limit=10", kind="cursor")
def hubspot(request: web.Request) -> Answer:
    start, following = cursor(request, "after")
    paging = {"paging": {"next": {"after": following}}} if following else {}
    return {"results": window(start), **paging}


@exact("?pageSize=10", kind="cursor")
def google(request: web.Request) -> Answer:
    start, following = cursor(request, "pageToken")
    return {"kind": "things#list", "files": window(start), **({"nextPageToken": following} if following else {})}


@exact(kind="cursor")
def google_in_snake_case(request: web.Request) -> Answer:
    start, following = cursor(request, "page_token")
    return {"files": window(start), "next_page_token": following or ""}


@exact(kind="cursor")
def kubernetes(request: web.Request) -> Answer:
    start, following = cursor(request, "continue")
    metadata = {"resourceVersion": "42", **({"continue": following, "remainingItemCount": 9} if following else {})}
    return {"kind": "PodList", "metadata": metadata, "items": window(start)}


@exact(kind="cursor")
def notion(request: web.Request) -> Answer:
    start, following = cursor(request, "start_cursor")
    return {"object": "list", "results": window(start), "next_cursor": following, "has_more": following is not None}


@exact(kind="cursor")
def relay(request: web.Request) -> Answer:
    """The last page has a cursor too."""
    start, following = cursor(request, "after")
    info = {"hasNextPage": following is not None, "endCursor": following or "c/+47="}
    return {"data": {"things": {"nodes": window(start), "pageInfo": info}}}


@exact(kind="cursor")
def reddit(request: web.Request) -> Answer:
    start, following = cursor(request, "after")
    return {"kind": "Listing", "data": {"after": following, "before": None, "dist": SIZE, "children": window(start)}}


@exact(kind="cursor")
def airtable(request: web.Request) -> Answer:
    """A cursor that is called offset."""
    start, following = cursor(request, "offset")
    return {"records": window(start), **({"offset": following} if following else {})}


@exact("?cursor=*", kind="cursor")
def openalex(request: web.Request) -> Answer:
    asked = request.query.get("cursor", "")
    start = 0 if asked == "*" else number(request, "cursor")
    end = start + SIZE
    meta = {"count": COUNT, "per_page": SIZE, "page": None, "next_cursor": str(end) if end < COUNT else None}
    return {"meta": meta, "results": window(start), "group_by": []}


@exact("?q=*&cursorMark=*&sort=id+asc", kind="cursor")
def solr(request: web.Request) -> Answer:
    """The mark that was sent is the end."""
    mark = request.query["cursorMark"]
    start = 0 if mark == "*" else int(mark.removeprefix("AoE"))
    found = window(start)
    body = {"response": {"numFound": COUNT, "start": 0, "docs": found}}
    return {**body, "nextCursorMark": f"AoE{start + len(found)}" if found else mark}


@exact(kind="cursor")
def gitlab(request: web.Request) -> Answer:
    """The number of the next page, in a header."""
    page = number(request, "page", 1)
    headers = {"X-Page": str(page), "X-Per-Page": "10", "X-Next-Page": str(page + 1) if page < 5 else ""}
    return said(window((page - 1) * SIZE), headers)


@exact(kind="cursor")
def next_page_is_a_number(request: web.Request) -> Answer:
    page = number(request, "page", 1)
    return {"page": page, "next_page": page + 1 if page < 5 else None, "things": paged(request)}


@exact(kind="cursor")
def next_is_an_offset(request: web.Request) -> Answer:
    """As a page it would skip 180 documents."""
    start = number(request, "page", 1) * 200 if "page" in request.query else number(request, "offset")
    end = start + SIZE
    return {"things": window(start), "next_offset": end if end < COUNT else None}


@exact(kind="cursor")
def in_a_header(request: web.Request) -> Answer:
    start, following = cursor(request, "cursor")
    return said(window(start), {"X-Next-Cursor": following} if following else {})


@exact(kind="cursor")
def datasette(request: web.Request) -> Answer:
    start, following = cursor(request, "_next")
    return {"rows": window(start), "next": following, "truncated": False, "filtered_table_rows_count": COUNT}


@exact(kind="cursor")
def under_another_name(request: web.Request) -> Answer:
    """`next_token` goes into `marker`."""
    start, following = cursor(request, "marker")
    return {"things": window(start), "next_token": following}


@exact(kind="cursor")
def as_a_link_says(request: web.Request) -> Answer:
    """The parameter stands in a link of no known relation."""
    start, following = cursor(request, "weiter_ab")
    link = url(request, weiter_ab=following) if following else None
    return {"things": window(start), "next_token": following, "see_more": {"uri": link}}


@unsure()
def under_a_name_of_its_own(request: web.Request) -> Answer:
    start, following = cursor(request, "weiter_ab")
    return {"things": window(start), "next_token": following}


@unsure()
def under_a_name_of_its_own_and_says_that_it_is_all(request: web.Request) -> Answer:
    """A cursor that nobody takes speaks against the flag."""
    start, following = cursor(request, "weiter_ab")
    return {"things": window(start), "next_token": following, "has_more": False}


@exact(kind="cursor")
def names_its_own_cursor_too(request: web.Request) -> Answer:
    """`cursor` is that of this page."""
    start, following = cursor(request)
    return {"cursor": f"c/+{start}=", "things": window(start), "paging": {"following": 1, "next": following}}


@unsure()
def ignores_the_cursor(request: web.Request) -> Answer:
    return {"things": window(0), "next_cursor": f"c{times(request)}", "total": COUNT}


# Keys


@exact("?limit=10", kind="keyset")
def stripe(request: web.Request) -> Answer:
    """What comes behind a document of ours; there is no cursor."""
    start = number(request, "starting_after", -1) + 1
    return {"object": "list", "data": window(start), "has_more": start + SIZE < COUNT, "url": "/v1/things"}


@exact("?since_id=-1", kind="keyset")
def named_in_the_url(request: web.Request) -> Answer:
    return window(number(request, "since_id", -1) + 1)


@exact(kind="link_header")
def registry(request: web.Request) -> Answer:
    """Names, and a relative link without angle brackets."""
    start = number(request, "last", -1) + 1
    more = {"Link": f'{request.path}?last={start + 9}; rel="next"'} if start + SIZE < COUNT else {}
    return said({"things": window(start)}, more)


@exact(kind="continue")
def mediawiki(request: web.Request) -> Answer:
    start = number(request, "apfrom")
    more: Mapping[str, Any] = {}
    if start + SIZE < COUNT:
        more = {"continue": {"apfrom": str(start + SIZE), "continue": "-||"}}
        if start and request.query.get("continue") != "-||":
            return said({"error": {"code": "badcontinue"}}, status=400)
    return {"batchcomplete": True, **more, "query": {"allpages": window(start)}}
