"""One response, without I/O: attempts, patience and redirects, as a generator that says what to do.

fetch(request, ...)  ->  Send(request)     answered with a Response, or with the RetryNow that it met
                     ->  Wait(cause)       answered with None, when the time has passed
"""

import random
import re
from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from pagefleet.errors import CursorDied, Exhausted, RetryLater, RetryNow, Stop
from pagefleet.limits import Limits
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
PATIENT = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
DOWN = frozenset({502, 503, 520, 521, 522, 523})
"""What a server that is down answers, or what stands before it, whatever is asked. 504 and 524 say that it took too
long: that may be the page's fault."""
PASSING = DOWN | {408, 425, 500, 504, 524}


class Send(Struct, frozen=True):
    """Send this request, after a token of its origin's budget."""

    request: Request
    ahead: tuple[Request, ...] = ()
    """These should be asked for next, and may go out already."""


class Wait(Struct, frozen=True):
    """Let time pass before going on. What the source asked for (`cause.is_source`) holds for the whole fleet."""

    url: str
    cause: RetryLater


Reply = Response | RetryNow | None
Dress = Callable[[Request], Request]
"""Puts credentials on a request, or takes them off; raises `Stop` where the request must not go at all."""
T = TypeVar("T")


def fetch(
    request: Request,
    limits: Limits,
    dress: Dress,
    read: Callable[[Response], T],
    *,
    ahead: tuple[Request, ...] = (),
    is_repeatable: bool = True,
) -> Generator[Send | Wait, Reply, T]:
    """What `read` makes of a response, after as many attempts as the limits allow.

    `read` raises `RetryNow` where it sees a passing fault (`check_passing`). Raises `Stop` when the attempts are used
    up, and `CursorDied` when a request that must not be repeated may have reached the source, and was not answered.
    """
    plain, request, attempt, hops = request, dress(request), 0, 0
    while True:
        reply = yield Send(request, ahead)
        if isinstance(reply, Response):
            if reply.status in REDIRECTS and "location" in reply.headers:
                plain = _redirected(replace(plain, url=request.url), reply, hops)
                request, hops = dress(plain), hops + 1
                continue
            patience = _patience(request, reply)
            if patience is not None:
                yield Wait(request.url, patience)
                continue
            try:
                return read(reply)
            except RetryNow as passing:
                reply = passing
        if reply and reply.is_sent and not is_repeatable:
            raise CursorDied(f"{reply}, and the request cannot be sent again: the server may have moved on")
        fault = reply or RetryNow("no answer")
        attempt += 1
        if attempt >= limits.attempts:
            found = f"fetching {safe(request.url)}: {fault}, at each of {attempt} attempts; try again later"
            raise Exhausted(found, fault)
        seconds = random.uniform(0, min(30.0, 0.5 * 2 ** min(attempt, 6)))
        yield Wait(request.url, RetryLater(str(fault), seconds, is_down=fault.is_down))


def check_passing(response: Response) -> None:
    """Raises `RetryNow` for a status that may be another the next time."""
    if response.status in PASSING:
        is_page = response.status == HTTPStatus.INTERNAL_SERVER_ERROR
        raise RetryNow(f"the server answered {response.status}", is_page=is_page, is_down=response.status in DOWN)


def is_answer(reply: Response | RetryNow) -> bool:
    """Does it show that the source is not down?"""
    return isinstance(reply, Response) and reply.status not in DOWN


def _redirected(request: Request, response: Response, hops: int) -> Request:
    target = joined(request.url, response.headers["location"])
    if hops >= HOPS:
        raise Stop(f"fetching {safe(request.url)}: redirected more than {HOPS} times, last to {safe(target)}")
    is_get = response.status == HTTPStatus.SEE_OTHER or (response.status in (301, 302) and request.method == "POST")
    method, body = ("GET", None) if is_get else (request.method, request.body)
    return Request(method, target, request.headers, body, hidden=request.hidden)


def _patience(request: Request, response: Response) -> RetryLater | None:
    """What a 429 asks for, or a 503 or 403 that says how long; GitHub's 403 may name only a limit that is used up."""
    status, headers = response.status, response.headers
    if status not in PATIENT:
        return None
    asked = retry_after(headers)
    if status == HTTPStatus.TOO_MANY_REQUESTS or (status == HTTPStatus.FORBIDDEN and _is_used_up(headers)):
        asked = reset_after(headers) if asked is None else asked
        seconds = UNNAMED_WAIT if asked is None else asked
    elif asked is not None:
        seconds = asked
    else:
        return None
    seconds = min(max(seconds, SHORTEST_WAIT), LONGEST_WAIT)
    return RetryLater(f"{safe(request.url)} answered {status}", seconds, is_source=True)


def _is_used_up(headers: Mapping[str, str]) -> bool:
    return any(headers.get(f"{prefix}-remaining", "").strip() == "0" for prefix in RATE_LIMITS)


RATE_LIMITS = ("ratelimit", "x-ratelimit", "x-rate-limit")
POLICY = re.compile(r";\s*r=0\s*;\s*t=([0-9]{1,9})")
"""In the header `RateLimit` of the IETF's draft 10: a policy of which nothing remains, for so many seconds."""
EPOCH, EPOCH_MS = 10**9, 10**12
"""From here on a number is a moment, in seconds or in milliseconds since 1970, and no duration."""


def reset_after(headers: Mapping[str, str]) -> float | None:
    """Seconds until a limit is lifted, from `RateLimit-Reset` and its kin: a duration, or a moment by the server's
    clock."""
    if waits := POLICY.findall(headers.get("ratelimit", "")):
        return max(map(float, waits))
    said = next((text for prefix in RATE_LIMITS if (text := headers.get(f"{prefix}-reset", "").strip())), "")
    if not re.fullmatch(r"[0-9]{1,14}(\.[0-9]*)?", said):
        return None
    number = float(said)
    if number < EPOCH:
        return number
    now = _moment(headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (number / 1000 if number >= EPOCH_MS else number) - now.timestamp())


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
