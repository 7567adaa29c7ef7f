"""The walk of one source, without I/O: a generator that says what to do and is told what came of it.

    walk(crawl, checkpoint)  ->  Send, Wait    as `fetch` has them
                             ->  Page          answered with None

Both drivers in `pages.py`, the asynchronous and the synchronous one, are a few lines around it. The habit is httpx'
`auth_flow`: what is decided is written once, what waits is written twice.
"""

import hashlib
from collections.abc import Generator
from dataclasses import replace
from functools import partial
from http import HTTPStatus

import httpx

from pagefleet.crawl import Crawl
from pagefleet.decode import Decoded
from pagefleet.errors import Stop
from pagefleet.fetch import Reply, Send, Wait, fetch, origin, safe
from pagefleet.page import Checkpoint, Cursor, Page, Request, Response
from pagefleet.paginators import Answer


def walk(crawl: Crawl, checkpoint: Checkpoint) -> Generator[Send | Wait | Page, Reply, None]:
    """All pages from a checkpoint to the end, with retries, redirects and waits between them.

    Raises `Stop` where no retry can help: the checkpoint then still points at the page that could not be had.
    """
    first, decoder, dress = crawl.first(), crawl.decoder(), partial(dressed, crawl)
    cursor, delivered, before, total = checkpoint.cursor, checkpoint.documents - checkpoint.index, "", None
    while True:
        request = crawl.paginate.request(first, cursor)
        response = yield from fetch(request, crawl.limits, dress)
        if cursor is not None and crawl.paginate.ends_at(response.status, delivered, total):
            yield Page([], None, total, response.status, seconds=response.seconds, is_last=True)
            return
        _check_status(request, response)
        try:
            decoded = decoder.decode(response.body)
        except Stop as error:
            kind = response.headers.get("content-type", "no content type")
            raise Stop(f"reading {safe(request.url)} ({kind}): {error}") from error
        following = crawl.paginate.next(cursor, Answer(response, len(decoded.documents), decoded.members, delivered))
        page = _page(crawl, response, decoded, _stripped(crawl, following))
        if decoded.documents and page.digest == before:
            raise Stop(
                f"reading {safe(request.url)}: it holds the very documents of the page before it, so the server "
                f"ignores the cursor {cursor!r}; check the crawl's paginate"
            )
        yield page
        if page.is_last:
            return
        total = page.total if page.total is not None else total
        cursor, delivered, before = page.cursor, delivered + len(page.documents), page.digest


def _page(crawl: Crawl, response: Response, decoded: Decoded, cursor: Cursor) -> Page:
    return Page(
        documents=decoded.documents,
        cursor=cursor,
        total=_number(decoded.members.get(crawl.total or "")),
        status=response.status,
        size=len(response.body),
        seconds=response.seconds,
        digest=digest(decoded.documents),
        is_last=cursor is None,
    )


def digest(documents: list[bytes]) -> str:
    """Of the documents in order; 16 hexadecimal digits."""
    return hashlib.blake2b(b"\n".join(documents), digest_size=8).hexdigest()


def dressed(crawl: Crawl, request: Request) -> Request:
    """A request as it may leave: on the crawl's origin with its credentials, on another that it lists without."""
    home, there = origin(crawl.url), origin(request.url)
    if there == home:
        if not crawl.secret_params:
            return request
        return replace(request, url=str(httpx.URL(request.url).copy_merge_params(crawl.secret_params)))
    if there not in {origin(url) for url in crawl.origins}:
        raise Stop(
            f"going on to {safe(request.url)}: the next page is said to be on another origin than {home}; "
            f"if that is right, list it in the crawl: origins = [{there!r}]"
        )
    plain = {name: value for name, value in request.headers.items() if name.lower() in ("accept", "content-type")}
    return replace(request, headers=plain)


def _stripped(crawl: Crawl, cursor: Cursor) -> Cursor:
    """A server that echoes the query in its next link must not put a secret into our checkpoint."""
    if not crawl.secret_params or not isinstance(cursor, str) or "?" not in cursor:
        return cursor
    url = httpx.URL(cursor)
    for param in crawl.secret_params:
        url = url.copy_remove_param(param)
    return str(url)


def _check_status(request: Request, response: Response) -> None:
    if response.status >= HTTPStatus.MULTIPLE_CHOICES:
        head = response.body[:120].decode(errors="replace").split("\n")[0]
        advice = {401: "check the credentials", 403: "check the credentials", 404: "check the crawl's url"}
        hint = advice.get(response.status, "the server will not answer this request")
        raise Stop(f"fetching {safe(request.url)}: the server answered {response.status} {head!r}; {hint}")


def _number(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
