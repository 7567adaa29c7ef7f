"""Headers: whatever they say, there is an answer, soon, and what is well written is understood."""

import math
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from pagefleet.errors import PagefleetError
from pagefleet.fetch import LONGEST_WAIT, SHORTEST_WAIT, Wait, fetch, reset_after, retry_after
from pagefleet.limits import Limits
from pagefleet.page import Request, Response
from pagefleet.paginators import parse_link
from tests.fuzz.draw import Draw

URL = "https://api.example.org/things"
LINKS = [
    *(
        b"<",
        b">",
        b";",
        b",",
        b"rel=",
        b'rel="next"',
        b'"',
        b"next",
        b"\\",
        b" ",
        b"anchor=",
        b"http://a/",
        b"=",
        b"\xc3\xa9",
    ),
    *(b"<a>; rel=next, ", b"\t", b"REL", b"prev next", b" " * 500, b"a" * 500),
]
DATES = [
    *(b"Wed, ", b"21 ", b"Oct ", b"2015 ", b"07:28:00 ", b"GMT", b"+9999", b"-2400", b"\n", b"99999", b"0", b"1", b"9"),
    *(
        b" ",
        b":",
        b",",
        b"-",
        b".",
        b";r=0;t=",
        b"\xd9\xa1",
        b"inf",
        b"nan",
        b"9" * 400,
        b"1e9",
        b"//",
        b"?a=b",
        b"http:",
    ),
]
FIRST = "https://api.example.org/things?page=2"


def link(draw: Draw) -> None:
    """Targets are parts of the header by single words, found in linear time; a link in front of anything is found."""
    header = draw.body(LINKS).decode(errors="replace")
    found: dict[str, str] = {}
    lines = _lines(lambda: found.update(parse_link(header)))
    assert lines <= 12 * len(header) + 60, f"{lines} lines of Python for {len(header)} characters"
    for relation, target in found.items():
        assert target in header
        assert relation.split() == [relation] == [relation.lower()], f"{relation!r} is no relation"
    assert parse_link(f'<{FIRST}>; rel="next", {header}')["next"] == FIRST


def _lines(call: Callable[[], object]) -> int:
    """Of ours, executed meanwhile."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace if str(frame.f_globals.get("__name__")).startswith("pagefleet.") else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


NAMES = [
    *("retry-after", "date", "ratelimit", "ratelimit-reset", "ratelimit-remaining"),
    *("x-ratelimit-reset", "x-ratelimit-remaining", "x-rate-limit-reset", "location"),
]


def waits(draw: Draw) -> None:
    """A number of seconds, or none; what a walk waits is between its limits."""
    status = draw.choice([429, 503, 403, 301, 308, 200])
    names = [draw.choice(NAMES) for _ in range(3)]
    headers = dict(zip(names, draw.body(DATES).decode(errors="replace").split("\n"), strict=False))
    for seconds in (retry_after(headers), reset_after(headers)):
        assert seconds is None or seconds >= 0, f"{seconds} s"
    flow = fetch(Request("GET", URL), Limits(attempts=1), lambda request: request, lambda response: None)
    try:
        next(flow)
        step = flow.send(Response(status, URL, headers, b""))
    except (StopIteration, PagefleetError):
        return
    if isinstance(step, Wait):
        assert SHORTEST_WAIT <= step.cause.seconds <= LONGEST_WAIT
        assert math.isfinite(step.cause.seconds)
