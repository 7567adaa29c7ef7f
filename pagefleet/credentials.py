"""Credentials belong to an origin: what a request may carry, and where it may go at all."""

import re

import httpx
from msgspec.structs import replace

from pagefleet.crawl import Crawl
from pagefleet.decode import is_object
from pagefleet.errors import Stop
from pagefleet.hidden import SECRET, unechoed, without
from pagefleet.page import Cursor, Request
from pagefleet.paginators import Continue, LinkHeader, LinkObject, NextUrl
from pagefleet.paginators.opaque import CURSOR
from pagefleet.redaction import is_said, quoted
from pagefleet.url import origin, safe


def dressed(crawl: Crawl, request: Request) -> Request:
    """A request as it may leave: on the crawl's origin with its credentials, on another that it lists without."""
    home, there = origin(crawl.url), origin(request.url)
    _check_headers(crawl, request)
    url = stripped(crawl, request.url)
    if there == home:
        return replace(request, url=url, secrets=crawl.secret_params)
    if there not in {origin(url) for url in crawl.origins}:
        raise Stop(
            f"going on to {safe(request.url)}: the next page is said to be on another origin than {home}; "
            f"if that is right, list it in the crawl: origins = [{quoted(there)}]"
        )
    plain = {name: value for name, value in request.headers.items() if name.lower() in ("accept", "content-type")}
    return replace(request, url=url, headers=plain, hidden={})


WHOLE = re.compile(r"https?://[^/?#{]+(?=[/?#]|$)", re.IGNORECASE)
"""A template of a URL whose host no document has a say in."""


def written(crawl: Crawl) -> list[str]:
    """URLs on all origins that the crawl's author wrote: no link, redirect or document leads to any other."""
    urls, each = [crawl.url, *crawl.origins], crawl.each
    while each is not None:
        urls += WHOLE.findall(each.url)[:1]
        each = each.each
    return urls


def _check_headers(crawl: Crawl, request: Request) -> None:
    """A server whose cursor goes into a header must not name a secret there: it would be looked up, and sent to it."""
    for name, value in request.headers.items():
        if value != crawl.headers.get(name) and SECRET.search(value):
            raise Stop(f"going on to {safe(request.url)}: the cursor for the header {name} reads like a secret's name")


def kept(crawl: Crawl, cursor: Cursor) -> Cursor:
    """A cursor as it may be stored: servers echo secrets in their links."""
    if is_object(cursor) and CURSOR in cursor:
        return {**cursor, CURSOR: kept(crawl, cursor[CURSOR])}
    if isinstance(crawl.paginate, Continue) and is_object(cursor):
        return {name: value for name, value in cursor.items() if name not in crawl.secret_params}
    if isinstance(crawl.paginate, LinkHeader | NextUrl | LinkObject):
        if isinstance(cursor, str):
            return stripped(crawl, cursor)
        if is_object(cursor) and "href" in cursor:
            body = unechoed(without(cursor["body"], crawl.secret_members)) if crawl.has_secrets else cursor["body"]
            return {**cursor, "href": stripped(crawl, cursor["href"]), "body": body}
    return cursor


def stripped(crawl: Crawl, url: str) -> str:
    """A URL without the crawl's secrets, which servers echo in links and redirects."""
    if not crawl.has_secrets:
        return url
    parsed = httpx.URL(url)
    names = {name for name, value in parsed.params.multi_items() if name in crawl.secret_params or is_said(value)}
    for name in names:
        parsed = parsed.copy_remove_param(name)
    return str(parsed) if names else url
