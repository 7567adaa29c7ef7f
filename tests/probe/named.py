"""APIs that name the next page, by a link or a cursor, and the ways in which that goes wrong."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from tests.probe.server import (
    COUNT,
    FEW,
    ROWS,
    SIZE,
    Answer,
    exact,
    number,
    paged,
    said,
    times,
    unsure,
    url,
    window,
)

# Links


def following(request: web.Request, name: str = "at", size: int = SIZE) -> dict[str, str]:
    """The URL of the next page, if there is one."""
    end = number(request, name) + size
    return {"next": url(request, **{name: end})} if end < COUNT else {}


@exact(kind="link_header")
def github(request: web.Request) -> Answer:
    link = following(request)
    last = f'<{url(request, at=40)}>; rel="last"'
    header = f'<{link["next"]}>; rel="next", {last}' if link else f'<{url(request, at=0)}>; rel="first"'
    return said(window(number(request, "at")), {"Link": header})


@exact(kind="link_header", rows=FEW)
def github_with_one_page(request: web.Request) -> Answer:
    return said(FEW, {"Link": f'<{url(request, page=1)}>; rel="first", <{url(request, page=1)}>; rel="last"'})


@exact(kind="next_url")
def django(request: web.Request) -> Answer:
    link = following(request, "offset").get("next")
    return {"count": COUNT, "next": link, "previous": None, "results": window(number(request, "offset"))}


@exact(kind="next_url", rows=FEW)
def django_with_one_page(_: web.Request) -> Answer:
    return {"count": len(FEW), "next": None, "previous": None, "results": FEW}


@exact(kind="next_url")
def json_api(request: web.Request) -> Answer:
    included = [{"id": f"p{n}", "type": "people"} for n in range(number(request, "at"), number(request, "at") + 30)]
    links = {"self": str(request.url), **following(request)}
    return {"data": window(number(request, "at")), "included": included, "links": links, "meta": {"total": COUNT}}


@exact(kind="next_url")
def hal(request: web.Request) -> Answer:
    links = {"self": {"href": str(request.url)}, "find": {"href": "/find{?name}", "templated": True}}
    links |= {name: {"href": link} for name, link in following(request).items()}
    return {"_embedded": {"widgets": window(number(request, "at"))}, "_links": links, "count": SIZE, "total": COUNT}


@exact(kind="next_url")
def odata(request: web.Request) -> Answer:
    link = following(request, "$skiptoken").get("next")
    rows = window(number(request, "$skiptoken"))
    head = {"@odata.context": f"{request.url.origin()}/$metadata#things", "@odata.count": COUNT, "value": rows}
    return head | ({"@odata.nextLink": link} if link else {})


@exact(rows=FEW, kind="next_url")
def odata_with_one_page(request: web.Request) -> Answer:
    return {"@odata.context": f"{request.url.origin()}/$metadata#things", "value": FEW}


@exact(kind="link_object")
def stac(request: web.Request) -> Answer:
    links = [{"rel": "self", "href": str(request.url)}, {"rel": "root", "href": "/"}]
    links += [{"rel": rel, "href": link, "method": "GET"} for rel, link in following(request).items()]
    matched = {"numberMatched": COUNT, "numberReturned": SIZE}
    return {"type": "FeatureCollection", "features": window(number(request, "at")), "links": links, **matched}


@exact(kind="next_url")
def twilio(request: web.Request) -> Answer:
    link = following(request).get("next")
    relative = link.partition(str(request.url.origin()))[2] if link else None
    return {"messages": window(number(request, "at")), "page": 0, "page_size": SIZE, "next_page_uri": relative}


@exact(kind="next_url")
def salesforce(request: web.Request) -> Answer:
    end = number(request, "at") + SIZE
    more = {"done": False, "nextRecordsUrl": f"{request.path}?at={end}"} if end < COUNT else {"done": True}
    return {"totalSize": COUNT, **more, "records": window(number(request, "at"))}


@exact(kind="next_url")
def kinto(request: web.Request) -> Answer:
    link = following(request, "_token").get("next")
    headers = {"Total-Records": str(COUNT), **({"Next-Page": link} if link else {})}
    return said({"data": window(number(request, "_token"))}, headers)


@exact(kind="link_header")
def says_it_twice(request: web.Request) -> Answer:
    link = following(request).get("next")
    headers = {"Link": f'<{link}>; rel="next"'} if link else {}
    return said({"data": window(number(request, "at")), "links": {"next": link}}, headers)


@unsure()
def says_it_twice_and_differs(request: web.Request) -> Answer:
    """The header skips a page."""
    link = following(request).get("next")
    headers = {"Link": f'<{url(request, at=number(request, "at") + 20)}>; rel="next"'} if link else {}
    return said({"data": window(number(request, "at")), "links": {"next": link}}, headers)


@exact(kind="next_url")
def says_it_twice_and_once_elsewhere(request: web.Request) -> Answer:
    """The header leads to a host behind the proxy."""
    link = following(request).get("next")
    headers = {"Link": '<http://127.0.0.1:9/things?at=10>; rel="next"'} if link else {}
    return said({"data": window(number(request, "at")), "links": {"next": link}}, headers)


@unsure()
def leads_elsewhere(request: web.Request) -> Answer:
    link = following(request).get("next", "").replace("http://", "https://")
    return {"data": window(number(request, "at")), "next": link or None}


@unsure()
def leads_to_itself(request: web.Request) -> Answer:
    return {"data": window(0), "next": str(request.url), "total": COUNT}


@unsure()
def links_that_overlap(request: web.Request) -> Answer:
    return {"data": window(number(request, "at")), **following(request, size=9)}


@unsure()
def links_that_go_round(request: web.Request) -> Answer:
    return {"data": window(number(request, "at")), "next": url(request, at=(number(request, "at") + SIZE) % 30)}


@unsure("?page=3")
def begins_in_the_middle(request: web.Request) -> Answer:
    """The links lead on from there, and the first two pages would be missed."""
    page = number(request, "page", 1)
    link = {"next": url(request, page=page + 1)} if page < 5 else {}
    return {"data": paged(request), **link}


@unsure()
def null_but_there_is_more(_: web.Request) -> Answer:
    return {"data": window(0), "next": None, "total": COUNT}


@exact(kind="page")
def null_and_pages_by_number(request: web.Request) -> Answer:
    """The cursor is null as long as nobody asks for one; pages have numbers meanwhile."""
    return {"data": paged(request), "next_cursor": None}


# Cursors


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


@exact(kind="cursor")
def names_its_own_cursor_too(request: web.Request) -> Answer:
    """`cursor` is that of this page."""
    start, following = cursor(request)
    return {"cursor": f"c/+{start}=", "things": window(start), "paging": {"following": 1, "next": following}}


@unsure()
def ignores_the_cursor(request: web.Request) -> Answer:
    return {"things": window(0), "next_cursor": f"c{times(request)}", "total": COUNT}


# Cursors that are peculiar

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
