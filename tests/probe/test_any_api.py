"""Whatever an API is like: what the probe verifies brings every document once, in order; for an honest one it does."""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from pagefleet.crawl import Crawl
from pagefleet.errors import Stop
from pagefleet.fetch import Reply, Send
from pagefleet.page import Checkpoint, Page, Request, Response
from pagefleet.probe import Probed, inquire
from pagefleet.probe.asking import MOST
from pagefleet.walk import walk

URL = "https://api.example.org/v1/things"
COMMON = ("page", "offset", "cursor", "starting_after", "at")
KINDS = ("page", "offset", "cursor", "next_url", "link_header", "keyset", "none")
PARAMS = {
    "page": ("page", "p", "pageNumber", "page[number]", "_page"),
    "offset": ("offset", "start", "skip", "from", "startIndex", "$skip"),
    "cursor": ("cursor", "page_token", "after", "marker", "continuation"),
    "keyset": ("starting_after", "after", "since_id"),
    "next_url": ("at",),
    "link_header": ("at",),
    "none": ("at",),
}


@dataclass(frozen=True)
class Anything:
    """An API in memory, with habits that real ones have."""

    kind: str = "page"
    count: int = 20
    size: int = 5
    param: str = "page"
    base: int = 1
    below: str = "first"
    """What page 0 is, where pages begin with 1: the first one, an error, or what Python makes of negative slices."""
    past: str = "empty"
    total: str = "right"
    order: str = "stable"
    is_strict: bool = False
    asked_size: int = 0
    """In the URL, where more or fewer are asked for; `is_by_asked`: pages are counted by it."""
    is_by_asked: bool = False
    last: str = "null"
    flag: str = ""
    place: tuple[str, ...] = ("items",)
    has_aside: bool = False
    rows: list[Any] = field(init=False)

    def __post_init__(self) -> None:
        rows = [{"id": 1000 + 7 * number, "title": f"row {number}"} for number in range(self.count)]
        object.__setattr__(self, "rows", rows)

    @property
    def url(self) -> str:
        return f"{URL}?{urlencode({'per_page': self.asked_size})}" if self.asked_size else URL

    def answer(self, request: Request) -> Response:
        params = dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))
        if self.is_strict and params.keys() - {self.param, "per_page"}:
            return Response(400, request.url, {}, b'{"error": "unknown parameter"}')
        asked = int(params.get("per_page") or self.size)
        size = min(asked, self.size)
        try:
            start = self._start(params, asked if self.is_by_asked else size)
        except ValueError:
            return Response(400, request.url, {}, b'{"error": "no number"}')
        if start is None:
            return Response(404, request.url, {}, b'{"error": "not found"}')
        if start >= self.count and start > 0:
            return self._behind(request, start, size)
        return self._page(request, start, size)

    def _start(self, params: dict[str, str], size: int) -> int | None:
        said = params.get(self.param)
        if said is None or self.kind == "none":
            return 0
        if self.kind == "keyset":
            return next((n for n, row in enumerate(self.rows) if row["id"] > int(said)), self.count)
        if self.kind not in ("page", "offset"):
            return int(said.strip("c="))
        place = int(said) - self.base
        if place < 0 and self.below != "slice":
            return 0 if self.below == "first" else None
        return place * (size if self.kind == "page" else 1)

    def _behind(self, request: Request, start: int, size: int) -> Response:
        last = (self.count - 1) // size * size
        match self.past:
            case "clamp":
                return self._page(request, last, size)
            case "window":
                return self._page(request, max(0, self.count - size), size)
            case "wrap":
                return self._page(request, start % max(size, last + size), size)
            case "empty":
                return self._page(request, start, size)
            case status:
                return Response(int(status), request.url, {}, b"" if status == "204" else b'{"error": "nothing here"}')

    def _page(self, request: Request, start: int, size: int) -> Response:
        rows = self.rows
        if self.order != "stable":
            rows = random.Random(start if self.order == "by page" else None).sample(rows, len(rows))
        found = rows[start : start + size] if start >= 0 else rows[start : start + size or None]
        end = start + size
        meta, headers = self._pointer(end), dict[str, str]()
        if self.kind == "link_header" and end < self.count:
            headers["link"] = f'<?at={end}>; rel="next"'
        if self.flag:
            meta["has_more"] = {"right": end < self.count, "false": False, "true": True}[self.flag]
        meta |= self._total(len(found), start)
        body: Any = found
        for name in reversed(self.place):
            body = {name: body}
        if self.place:
            body |= {"meta": meta} if meta else {}
            body |= {"facets": [{"id": n, "name": f"facet {n}"} for n in range(9)]} if self.has_aside else {}
        return Response(200, request.url, headers, json.dumps(body).encode())

    def _pointer(self, end: int) -> dict[str, Any]:
        if self.kind not in ("cursor", "next_url"):
            return {}
        if end < self.count or self.last == "goes on":
            return {"next": f"{URL}?at={end}" if self.kind == "next_url" else f"c{end}="}
        if self.last == "repeats":
            again = end - self.size
            return {"next": f"{URL}?at={again}" if self.kind == "next_url" else f"c{again}="}
        return {"next": None} if self.last == "null" else {}

    def _total(self, count: int, start: int) -> dict[str, Any]:
        said = {
            "right": self.count,
            "text": str(self.count),
            "of the page": count,
            "low": self.count // 2,
            "high": self.count + 3,
            "drifts": self.count + start // self.size,
        }
        return {"total": said[self.total]} if self.total in said else {}


@st.composite
def anything(draw: st.DrawFn) -> Anything:
    kind = draw(st.sampled_from(KINDS))
    size = draw(st.integers(1, 6))
    return Anything(
        kind=kind,
        count=draw(st.integers(0, 26)),
        size=size,
        param=draw(st.sampled_from(PARAMS[kind])),
        base=draw(st.integers(0, 1)),
        below=draw(st.sampled_from(["first", "error", "slice"])),
        past=draw(st.sampled_from(["empty", "404", "400", "204", "clamp", "window", "wrap"])),
        total=draw(st.sampled_from(["right", "none", "text", "of the page", "low", "high", "drifts"])),
        order=draw(st.sampled_from(["stable", "stable", "stable", "by page", "each time"])),
        is_strict=draw(st.booleans()),
        asked_size=draw(st.sampled_from([0, 0, size, 2 * size, 50])),
        is_by_asked=draw(st.booleans()),
        last=draw(st.sampled_from(["null", "absent", "repeats", "goes on"])),
        flag=draw(st.sampled_from(["", "", "right", "false", "true"])),
        place=draw(st.sampled_from([("items",), ("data", "list"), ("odd name",), ()])),
        has_aside=draw(st.booleans()),
    )


def probed(api: Anything) -> Probed:
    """What comes of a probe; time passes at once."""
    flow, reply, sent = inquire(api.url, {}), _START, 0
    while True:
        try:
            step = flow.send(reply)
        except StopIteration as end:
            found: Probed = end.value
            assert found.requests == sent <= MOST
            return found
        sent += isinstance(step, Send)
        reply = api.answer(step.request) if isinstance(step, Send) else None


def pages(api: Anything, crawl: Crawl) -> Iterator[Page]:
    flow, reply = walk(crawl, Checkpoint()), _START
    while True:
        try:
            step = flow.send(reply)
        except StopIteration:
            return
        reply = api.answer(step.request) if isinstance(step, Send) else None
        if isinstance(step, Page):
            yield step


_START: Reply = None


def is_a_liar(api: Anything) -> bool:
    """Does it lead on behind its last page, or say that there is more, or move its total or its rows meanwhile?"""
    names_itself = api.kind == "next_url" and api.last == "repeats"
    return api.last == "goes on" or api.flag == "true" or api.total == "drifts" or api.order != "stable" or names_itself


@given(anything())
def test_what_is_verified_is_right(api: Anything) -> None:
    is_mute = api.is_strict or api.kind == "keyset" or api.param not in COMMON
    if api.total in ("of the page", "low") and (is_mute or api.flag == "false"):
        api = replace(api, total="none")  # it says twice that this is all, or answers no question
    if api.flag == "false" and is_mute:
        api = replace(api, flag="")
    try:
        found = probed(api)
    except Stop:
        return
    if not found.is_verified:
        assert found.why_not
        return
    if api.last == "goes on" and api.count > 3 * api.size:
        return  # for ever, and not before the probe has looked away
    documents: list[Any] = []
    try:
        for number, page in enumerate(pages(api, found.crawl())):
            assert number < 100, f"it goes round and round: {found.said}"
            documents += [json.loads(document) for document in page.documents]
    except Stop:
        assert is_a_liar(api), found  # at its end, loudly
        return
    if api.order != "stable":
        return  # it may seem to be, for a few pages
    seen = api.rows if api.kind != "none" else api.rows[: api.size]
    assert documents == seen, found


@given(anything())
def test_an_honest_api_is_found_out(api: Anything) -> None:
    """More than one page, one order, a total that is true, and an end as most have it."""
    honest = replace(
        api,
        kind="page" if api.kind == "none" or (api.kind == "keyset" and api.size == 1) else api.kind,
        param="page" if api.kind == "none" or (api.kind == "keyset" and api.size == 1) else api.param,
        count=api.count + 2 * api.size + 1,
        total="right",
        order="stable",
        flag="right" if api.flag or api.kind == "keyset" else "",
        past="empty" if api.past in ("window", "wrap") else api.past,
        last="null" if api.last == "goes on" or api.kind == "next_url" else api.last,
        below="first" if api.below == "slice" else api.below,
        place=api.place or ("items",),
        is_strict=api.is_strict and api.param in COMMON,
    )
    found = probed(honest)
    is_rare = honest.param not in COMMON and (found.requests == MOST or honest.is_by_asked)  # and nothing hints at it
    assert found.is_verified or is_rare, (found.why_not, found.guesses, found.remarks, found.requests)
