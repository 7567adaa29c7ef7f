"""Where the next page is said to be: P18 to P20."""

from typing import Any

from aiohttp import web

from tests.hostile.collection import COUNT, ROWS, SIZE, answer, error, start, total, whole


async def p18_base(request: web.Request) -> web.Response:
    """Pages and offsets count from `base`. What is below it is the first page, or an error (`below=400`)."""
    base, query = whole(request, "base"), request.query
    place = whole(request, "page" if "page" in query else "offset")
    if place < base and "below" in query:
        return error(whole(request, "below"), "counting begins at 1")
    first = (max(place, base) - base) * (SIZE if "page" in query else 1)
    return answer(ROWS[first : first + SIZE], total(request))


async def p19_link(request: web.Request) -> web.Response:
    """The next link, written as `as` says: in the body, in a header (`in=header`), in an object with `href`
    (`in=object`), or in one of several that have a `rel` (`in=links`)."""
    first, end = start(request), start(request) + SIZE
    url = request.rel_url.update_query(cursor=end)
    link = {
        "query": f"?{url.query_string}",
        "path": str(url),
        "dots": f"../..{url}",
        "scheme": f"//{request.host}{url}",
        "whole": f"http://{request.host}{url}",
        "upper": f"HTTP://LOCALHOST:{request.url.port}{url}".replace("LOCALHOST", str(request.url.host)),
        "https": f"https://{request.host}{url}",
        "other": f"{request.query.get('to')}{url}",
        "internal": f"http://127.0.0.1:9{url}",
        "template": f"{url}{{&limit,sort*}}",
        "file": "file:///etc/passwd",
    }[request.query["as"]]
    if end >= COUNT:
        return answer(ROWS[first:end], {**total(request), "next": None})
    place = request.query.get("in")
    if place == "header":
        return answer(ROWS[first:end], total(request), headers={"link": f'<{link}>; rel="next"'})
    if place == "links":
        links = [{"rel": "self", "href": str(request.rel_url)}, {"rel": "next", "href": link}]
        return answer(ROWS[first:end], {**total(request), "next": links})
    found: Any = {"href": link, "templated": True} if place == "object" else link
    return answer(ROWS[first:end], {**total(request), "next": found})


async def p19_redirect(request: web.Request) -> web.Response:
    """Every page stands elsewhere: at another path, or at another origin (`to=`)."""
    if request.match_info.get("place") == "there":
        first = start(request)
        return answer(ROWS[first : first + SIZE], total(request))
    raise web.HTTPTemporaryRedirect(f"{request.query.get('to', '')}/p19-redirect/there?{request.query_string}")


async def p19_post(request: web.Request) -> web.Response:
    """STAC: the next page is a POST whose body must be merged into the one before (`merge=1`), or sent as it is."""
    said: dict[str, Any] = await request.json()
    if request.method != "POST" or said.get("collections") != ["p"] or said.get("limit") != SIZE:
        return error(400, "what was asked for?")
    first = int(said.get("token", "0"))
    if first + SIZE >= COUNT:
        return answer(ROWS[first:], total(request), links=[{"rel": "self", "href": "/p19-post"}])
    token = {"token": str(first + SIZE)}
    merge = "merge" in request.query
    following: dict[str, Any] = {
        "rel": "next",
        "href": str(request.rel_url),
        "method": "POST",
        "body": token if merge else {**said, **token},
        "merge": merge,
    }
    return answer(ROWS[first : first + SIZE], total(request), links=[{"rel": "self", "href": "/"}, following])


WIKI = [[0, 1, 2], [3, 4]]
"""Two batches of wiki pages; each takes three answers."""


async def p20_several_continuations(request: web.Request) -> web.Response:
    """MediaWiki: a generator and two props. Each batch of pages comes three times, with other members, and is whole
    with `batchcomplete`; all members of `continue` go into the next request, and none of earlier ones."""
    query = request.query
    sent = {name: query[name] for name in ("continue", "gapcontinue", "rvcontinue", "clcontinue") if name in query}
    batch = int(sent.get("gapcontinue", 0))
    place = 1 if "rvcontinue" in sent else 2 if "clcontinue" in sent else 0
    name, nothing = (("title", False), ("revisions", False), ("categories", True))[place]
    pages: list[Any] = [{"pageid": n, name: f"{name} of {n}"} for n in WIKI[batch] if not (nothing and n % 2)]
    generator = {"gapcontinue": str(batch)} if batch else {}
    more: dict[str, Any] = {"query": {"pages": pages}}
    if place < 2:
        link = {"rvcontinue": "20|5"} if place == 0 else {"clcontinue": "7|A"}
        more["continue"] = {**link, **generator, "continue": "||"}
    else:
        more["batchcomplete"] = True
        if batch == 0:
            more["continue"] = {"gapcontinue": "1", "continue": "gapcontinue||"}
    if place and sent.get("continue") != "||":
        return error(400, "a member of continue is missing")
    return web.json_response(more)
