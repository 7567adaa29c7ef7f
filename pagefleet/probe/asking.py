"""The requests of one probe: few, remembered, one at a time."""

from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from pagefleet.crawl import Crawl
from pagefleet.crawlfile import parse
from pagefleet.credentials import dressed
from pagefleet.errors import CursorDied, Stop
from pagefleet.fetch import Reply, Send, Wait, fetch
from pagefleet.limits import Limits
from pagefleet.page import Checkpoint, Page, Request, Response
from pagefleet.walk import walk

MOST = 12
"""Requests of one probe, retries included; most take four to six."""
ATTEMPTS = 3
T = TypeVar("T")
Steps = Generator[Send | Wait, Reply, T]
"""A part of a probe: yields what is to be done, returns what came of it."""


class Spent(Exception):
    """All requests that a probe may send have been sent."""


@dataclass(frozen=True, slots=True)
class Walked:
    """The first pages of a crawl. `stop` says why there are no more, unless the last one is the crawl's last."""

    crawl: Crawl
    pages: tuple[Page, ...]
    stop: str = ""

    @property
    def is_over(self) -> bool:
        return bool(self.pages) and self.pages[-1].is_last


@dataclass
class Asking:
    """Sends for a probe of one URL. An answer that is there already is not asked for again, unless it must be."""

    url: str
    headers: Mapping[str, str]
    sent: int = 0
    _known: dict[tuple[str, str, bytes | None], list[Response]] = field(
        default_factory=dict[tuple[str, str, bytes | None], list[Response]]
    )

    @property
    def left(self) -> int:
        """So many may still be sent."""
        return MOST - self.sent

    def crawl(self, said: Mapping[str, Any]) -> Crawl:
        """The crawl of a candidate; raises `CrawlError`."""
        return parse({**said, "limits": {"attempts": ATTEMPTS}}, "what was probed")

    def ask(self, url: str, *, afresh: bool = False) -> Steps[Response]:
        """The answer to a URL on the probed origin, whatever its status; raises `Stop` when there is none."""
        request = Request("GET", url, self.headers)
        dress = partial(dressed, parse({"url": self.url, "headers": self.headers, "paginate": {"kind": "none"}}))
        flow = fetch(request, Limits(attempts=ATTEMPTS), dress, lambda response: response)
        counts = Counter[tuple[str, str, bytes | None]]()
        if afresh:
            counts[_key(request)] = len(self._known.get(_key(request), []))
        reply: Reply = None
        while True:
            try:
                step = flow.send(reply)
            except StopIteration as end:
                response: Response = end.value
                return response
            reply = yield from self._reply(step, counts)

    def walk(self, said: Mapping[str, Any], most: int) -> Steps[Walked]:
        """The first pages of the very crawl that would run; raises `CrawlError` when it cannot."""
        crawl = self.crawl(said)
        flow, reply, pages = walk(crawl, Checkpoint()), _START, list[Page]()
        counts = Counter[tuple[str, str, bytes | None]]()
        while len(pages) < most:
            try:
                step = flow.send(reply)
            except StopIteration:
                break
            except (Stop, CursorDied) as stop:
                return Walked(crawl, tuple(pages), str(stop))
            reply = None
            if isinstance(step, Page):
                pages.append(step)
            else:
                reply = yield from self._reply(step, counts)
        return Walked(crawl, tuple(pages))

    def _reply(self, step: Send | Wait, counts: Counter[tuple[str, str, bytes | None]]) -> Steps[Reply]:
        """What is known of a request already, as often as a walk has sent it: a scroll sends one for all its pages."""
        if isinstance(step, Wait):
            return (yield step)
        key, known = _key(step.request), self._known.setdefault(_key(step.request), [])
        counts[key] += 1
        if counts[key] <= len(known):
            return known[counts[key] - 1]
        if self.sent >= MOST:
            raise Spent
        self.sent += 1
        reply = yield step
        if isinstance(reply, Response) and not _is_passing(reply):
            known.append(reply)
        else:
            counts[key] -= 1
        return reply


_START: Reply = None


def _key(request: Request) -> tuple[str, str, bytes | None]:
    return request.method, request.url, request.body


def _is_passing(response: Response) -> bool:
    return response.status in (403, 408, 429) or response.status >= 500  # noqa: PLR2004 — what may be another the next time
