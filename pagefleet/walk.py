"""The walk of one source, without I/O: a generator that says what to do and is told what came of it.

    walk(crawl, checkpoint)  ->  Send, Wait    as `fetch` has them
                             ->  Page          answered with None

Both drivers in `pages.py`, the asynchronous and the synchronous one, are a few lines around it. The habit is httpx'
`auth_flow`: what is decided is written once, what waits is written twice.
"""

import hashlib
import re
from collections.abc import Generator
from dataclasses import replace
from functools import partial
from http import HTTPStatus

import httpx

from pagefleet.crawl import Crawl
from pagefleet.decode import Decoded
from pagefleet.errors import Stop
from pagefleet.fetch import Reply, Send, Wait, fetch
from pagefleet.page import Checkpoint, Cursor, Page, Request, Response
from pagefleet.paginators import Answer, LinkHeader, NextUrl
from pagefleet.url import origin, safe


def walk(crawl: Crawl, checkpoint: Checkpoint) -> Generator[Send | Wait | Page, Reply, None]:
    """All pages from a checkpoint to the end, with retries, redirects and waits between them.

    Raises `Stop` where no retry can help: the checkpoint then still points at the page that could not be had.
    """
    first, decoder, dress = crawl.first(), crawl.decoder(), partial(dressed, crawl)
    cursor, delivered = checkpoint.cursor, checkpoint.documents - checkpoint.index
    before, total = checkpoint.digest, checkpoint.total
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
        answer = Answer(response, len(decoded.documents), decoded.members, delivered)
        following = crawl.paginate.next(cursor, answer)
        if isinstance(crawl.paginate, LinkHeader | NextUrl) and following is not None:
            following = _stripped(crawl, following)
        page = _page(crawl, response, decoded, following)
        if page.is_last:
            page = replace(page, doubt=_doubt(crawl, cursor, answer, total if page.total is None else page.total))
        _check_progress(crawl, request, cursor, page, before)
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


def _doubt(crawl: Crawl, cursor: Cursor, answer: Answer, total: int | None) -> str:
    """Of the last page: what speaks against its being the last."""
    if crawl.total and total is None:
        return "no-total"
    is_silent = cursor is None and answer.count > 0 and not crawl.paginate.is_said(answer)
    return "no-pointer" if is_silent and total is None else ""


def _check_progress(crawl: Crawl, request: Request, cursor: Cursor, page: Page, before: str) -> None:
    """`before` is the digest of the page before. A token may stay the same while the content goes on (Crossref,
    Elasticsearch' scroll), a URL may not."""
    is_url = isinstance(crawl.paginate, LinkHeader | NextUrl)
    if page.cursor is not None and page.cursor == cursor and (is_url or not page.documents):
        found = "it names itself as the next page"
    elif page.documents and page.digest == before:
        found = "it holds the very documents of the page before it"
    else:
        return
    raise Stop(
        f"reading {safe(request.url)}: {found}, so the server ignores the cursor {cursor!r}; check the crawl's paginate"
    )


def digest(documents: list[bytes]) -> str:
    """Of the documents in order; 16 hexadecimal digits."""
    return hashlib.blake2b(b"\n".join(documents), digest_size=8).hexdigest()


def dressed(crawl: Crawl, request: Request) -> Request:
    """A request as it may leave: on the crawl's origin with its credentials, on another that it lists without."""
    home, there = origin(crawl.url), origin(request.url)
    request = replace(request, url=_stripped(crawl, request.url))
    if there == home:
        return replace(request, secrets=crawl.secret_params)
    if there not in {origin(url) for url in crawl.origins}:
        raise Stop(
            f"going on to {safe(request.url)}: the next page is said to be on another origin than {home}; "
            f"if that is right, list it in the crawl: origins = [{there!r}]"
        )
    plain = {name: value for name, value in request.headers.items() if name.lower() in ("accept", "content-type")}
    return replace(request, headers=plain)


def _stripped(crawl: Crawl, url: str) -> str:
    """A URL without the crawl's secrets, which servers echo in links and redirects."""
    parsed = httpx.URL(url) if crawl.secret_params else None
    if parsed is None or not parsed.params.keys() & crawl.secret_params.keys():
        return url
    for param in crawl.secret_params:
        parsed = parsed.copy_remove_param(param)
    return str(parsed)


def _check_status(request: Request, response: Response) -> None:
    if response.status >= HTTPStatus.MULTIPLE_CHOICES:
        head = response.body[:120].decode(errors="replace").split("\n")[0]
        advice = {401: "check the credentials", 403: "check the credentials", 404: "check the crawl's url"}
        hint = advice.get(response.status, "the server will not answer this request")
        raise Stop(f"fetching {safe(request.url)}: the server answered {response.status} {head!r}; {hint}")


def _number(value: object) -> int | None:
    """A total, if it is one; some servers write it as text, and -1 for one that they do not know."""
    if isinstance(value, str) and re.fullmatch("[0-9]{1,18}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
