"""APIs that link to the next page, and the ways in which that goes wrong."""

from aiohttp import web

from tests.probe.server import COUNT, FEW, SIZE, Answer, exact, number, paged, said, times, unsure, url, window


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


@unsure()
def other_documents_each_time(request: web.Request) -> Answer:
    """Whoever asks anew gets the next ten, and links that lead on from there."""
    start = number(request, "at") if "at" in request.query else times(request) % 2 * SIZE
    return {"data": window(start), **({"next": url(request, at=start + SIZE)} if start + SIZE < COUNT else {})}


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
