"""One response, without I/O: attempts, patience and redirects, as a generator that says what to do.

fetch(request, ...)  ->  Send(request)     answered with a Response, or with the RetryNow that it met
                     ->  Wait(cause)       answered with None, when the time has passed
"""

import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from pagefleet.crawl import Limits
from pagefleet.errors import RetryLater, RetryNow, Stop
from pagefleet.page import Request, Response
from pagefleet.url import joined, safe

LONGEST_WAIT = 86_400.0
"""Seconds: a Retry-After of a day is obeyed; a longer one is taken for a mistake. Peers cut it to a minute or five,
and are banned."""
UNNAMED_WAIT = 5.0
"""Seconds after a 429 that does not say how long."""
SHORTEST_WAIT = 1.0
"""Seconds: `Retry-After: 0` stands for less than one; taken at its word it is asked for again and again."""
HOPS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
PASSING = frozenset({408, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524})


@dataclass(frozen=True, slots=True)
class Send:
    """Send this request, after a token of its origin's budget."""

    request: Request


@dataclass(frozen=True, slots=True)
class Wait:
    """Let time pass before going on. What the source asked for (`cause.is_source`) holds for the whole fleet."""

    url: str
    cause: RetryLater


Reply = Response | RetryNow | None
Dress = Callable[[Request], Request]
"""Puts credentials on a request, or takes them off; raises `Stop` where the request must not go at all."""


def fetch(request: Request, limits: Limits, dress: Dress) -> Generator[Send | Wait, Reply, Response]:
    """One response that is not a passing fault, after as many attempts as the limits allow; else raises `Stop`."""
    request, attempt, hops = dress(request), 0, 0
    while True:
        reply = yield Send(request)
        if isinstance(reply, Response):
            if reply.status in REDIRECTS and "location" in reply.headers:
                request, hops = dress(_redirected(request, reply, hops)), hops + 1
                continue
            patience = _patience(request, reply)
            if patience is not None:
                yield Wait(request.url, patience)
                continue
            if reply.status not in PASSING:
                return reply
        attempt += 1
        fault = f"the server answered {reply.status}" if isinstance(reply, Response) else str(reply)
        if attempt >= limits.attempts:
            raise Stop(f"fetching {safe(request.url)}: {fault}, at each of {attempt} attempts; try again later")
        yield Wait(request.url, RetryLater(fault, random.uniform(0, min(30.0, 0.5 * 2**attempt))))


def _redirected(request: Request, response: Response, hops: int) -> Request:
    target = joined(request.url, response.headers["location"])
    if hops >= HOPS:
        raise Stop(f"fetching {safe(request.url)}: redirected more than {HOPS} times, last to {safe(target)}")
    is_get = response.status == HTTPStatus.SEE_OTHER or (response.status in (301, 302) and request.method == "POST")
    method, body = ("GET", None) if is_get else (request.method, request.body)
    return Request(method, target, request.headers, body)


def _patience(request: Request, response: Response) -> RetryLater | None:
    """What a 429, or a 503 with Retry-After, asks for."""
    asked = retry_after(response.headers)
    if response.status != HTTPStatus.TOO_MANY_REQUESTS and not (
        response.status == HTTPStatus.SERVICE_UNAVAILABLE and asked is not None
    ):
        return None
    seconds = UNNAMED_WAIT if asked is None else min(max(asked, SHORTEST_WAIT), LONGEST_WAIT)
    return RetryLater(f"{safe(request.url)} answered {response.status}", seconds, is_source=True)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from either form of Retry-After (RFC 9110, 10.2.3); a date counts from the server's own Date."""
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return float(said)
    until, now = _moment(said), _moment(headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds()) if until else None


def _moment(date: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
