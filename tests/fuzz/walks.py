"""Walks: whatever a server answers, they end, and go on from every checkpoint as if nothing had happened."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from pagefleet.crawl import Crawl
from pagefleet.credentials import written
from pagefleet.decode import member
from pagefleet.errors import PagefleetError
from pagefleet.fetch import LONGEST_WAIT, Reply, Send, Wait
from pagefleet.http import outgoing
from pagefleet.page import LONGEST_CURSOR, Checkpoint, Page, Request, encode
from pagefleet.paginators import Opaque
from pagefleet.url import origin
from pagefleet.verdict import DOUBTS
from pagefleet.walk import walk
from pagefleet.watch import digest
from tests.fuzz.draw import Draw
from tests.fuzz.server import Server, crawls

RESUMED = 5
"""Checkpoints of a walk that it is resumed from."""
STEPS, QUIET = 20_000, 60
"""That a walk may take; of those without a document, when the same answer comes for ever. A cursor that grows with each
answer may lead on for long."""


@dataclass
class Trip:
    """What a walk did from a checkpoint on."""

    pages: list[Page] = field(default_factory=list[Page])
    checkpoints: list[Checkpoint] = field(default_factory=list[Checkpoint])
    """Behind each page, and where the server and the requests were then."""
    places: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    requests: list[Request] = field(default_factory=list[Request])


def walks(draw: Draw) -> None:
    """It ends in pages or in a `PagefleetError`. Requests stay on the crawl's origins, cursors are JSON and short, and
    a walk from there sends the request that the first one sent, and brings the same pages."""
    crawl = draw.choice(crawls())
    server = Server(draw, crawl)
    first = travelled(crawl, Checkpoint(), server)
    server.is_inventive = False
    for number, checkpoint in list(enumerate(first.checkpoints))[:RESUMED]:
        server.asked, sent = first.places[number]
        again = travelled(crawl, checkpoint, server)
        if _is_resumable(crawl):
            expected = first.requests[sent : sent + 1] or again.requests[:1]
            assert _plain(again.requests[:1]) == _plain(expected), f"{again.requests[:1]}, and not {expected}"
            for one, other in zip(first.pages[number + 1 :], again.pages, strict=False):
                assert (one.documents, one.cursor) == (other.documents, other.cursor), "another page"


def _is_resumable(crawl: Crawl) -> bool:
    """By the very next request: not where a parent's page is fetched again, or a cursor can be used only once."""
    rule = crawl.paginate
    return crawl.each is None and not (isinstance(rule, Opaque) and (rule.replay != "safe" or rule.fallback))


def _plain(requests: list[Request]) -> list[Any]:
    """In no order of parameters and members: a cursor's own are sorted when it is stored."""
    found: list[Any] = []
    for request in requests:
        url = httpx.URL(request.url)
        body: Any = request.body
        with suppress(ValueError):
            body = json.loads(body or b"null")
        query = sorted(url.params.multi_items())
        found.append((request.method, url.copy_with(query=None), query, request.headers, body))
    return found


def travelled(crawl: Crawl, checkpoint: Checkpoint, server: Server) -> Trip:
    """A walk to its end, each step of which is looked at."""
    trip, quiet, home = Trip(), 0, [origin(url) for url in written(crawl)]
    for number, step in enumerate(_steps(crawl, checkpoint, server)):
        assert number < STEPS, "it never ends"
        match step:
            case Send(request, ahead):
                for one in (request, *ahead):
                    _check_request(crawl, home, one)
                trip.requests.append(request)
            case Wait(_, cause):
                assert 0 <= cause.seconds <= LONGEST_WAIT
                _check_text(str(cause))
            case Page():
                _check_page(crawl, step)
                checkpoint = _behind(checkpoint, step)
                trip.pages.append(step)
                if not step.is_last:
                    trip.checkpoints.append(checkpoint)
                    trip.places.append((server.asked, len(trip.requests)))
        has_documents = isinstance(step, Page) and step.documents
        quiet = 0 if has_documents or not server.is_at_end else quiet + 1
        if quiet > QUIET:
            break
    return trip


def _steps(crawl: Crawl, checkpoint: Checkpoint, server: Server) -> Iterator[Send | Wait | Page]:
    flow = walk(crawl, checkpoint)
    reply: Reply = None
    while True:
        try:
            step = flow.send(reply)
        except StopIteration:
            return
        except PagefleetError as error:
            _check_text(str(error))
            return
        yield step
        reply = server.reply(step.request) if isinstance(step, Send) else None


def _behind(checkpoint: Checkpoint, page: Page) -> Checkpoint:
    """As Redis keeps it."""
    total = checkpoint.total if page.total is None else page.total
    cursor: Any = json.loads(encode(page.cursor))
    return Checkpoint(checkpoint.page + 1, 0, cursor, checkpoint.documents + len(page.documents), total, page.digest)


def _check_request(crawl: Crawl, home: Sequence[str], request: Request) -> None:
    there = origin(request.url)
    assert there in home, f"it goes to {there}"
    if there != home[0] and crawl.each is None:
        assert not request.secrets
        assert {name.lower() for name in request.headers} <= {"accept", "content-type"}
    try:
        outgoing(request)
    except PagefleetError:
        return


def _check_page(crawl: Crawl, page: Page) -> None:
    text = encode(page.cursor)
    assert len(text) <= LONGEST_CURSOR, f"a cursor of {len(text)} bytes"
    assert json.loads(text) == page.cursor, "the cursor comes back as another"
    assert page.is_last == (page.cursor is None)
    assert page.digest == digest(page.documents) or crawl.each is not None
    assert set(page.doubt.split()) <= DOUBTS.keys(), page.doubt
    assert page.total is None or page.total >= 0
    _check_text(page.notice + (page.quarantined.reason if page.quarantined else ""))
    for document in page.documents:
        json.loads(document, parse_int=str)
        _check_text(member(document, crawl.document_key or ("id",)) or "")


def _check_text(text: str) -> None:
    """It goes into Redis, logs and terminals."""
    text.encode()
