"""Slices: whatever a collection is, the parts are the whole, and small enough."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagefleet.crawl import Crawl
from pagefleet.crawlfile import parse
from pagefleet.errors import CrawlError, Stop
from pagefleet.fetch import Send
from pagefleet.page import Checkpoint, Page, Request, Response
from pagefleet.slices import MOST_CHILDREN, MOST_PARTS, Bounds
from pagefleet.walk import walk

LEAST: dict[str, Any] = {
    "url": "https://api.example.org/things",
    "documents": "data",
    "total": "total",
    "paginate": {"kind": "offset", "limit_param": "limit", "limit": 10},
}
DAYS = {"by": "range", "from": "2020-01-01", "to": "2021-01-01", "params": {"since": "{from}", "until": "{to}"}}


def crawl(slices: Mapping[str, Any], **more: Any) -> Crawl:
    return parse({**LEAST, **more, "slices": slices})


class Model:
    """An API over points: what lies in a range, or has a kind, a page at a time, and never more than `cap` of it."""

    def __init__(self, points: Sequence[int], cap: int = 10**9, size: int = 10, *, is_inclusive: bool = False) -> None:
        self.points, self.cap, self.size, self.is_inclusive = points, cap, size, is_inclusive
        self.asked = 0

    def answer(self, request: Request) -> Response:
        self.asked += 1
        query = {name: values[-1] for name, values in parse_qs(urlsplit(request.url).query).items()}
        found = sorted(self.points)
        if "since" in query:
            first, last = int(query["since"]), int(query["until"]) + self.is_inclusive
            found = [point for point in found if first <= point < last]
        if "kind" in query:
            found = [point for point in found if point % 7 == int(query["kind"])]
        found = found[: self.cap]
        size = min(self.size, int(query.get("limit", self.size)))
        start = (int(query["page"]) - 1) * size if "page" in query else int(query.get("offset", 0))
        body = json.dumps({"total": len(found), "data": found[start : start + size]}).encode()
        return Response(200, request.url, {}, body)


def walked(source: Crawl, model: Model) -> Iterator[Page]:
    flow, reply = walk(source, Checkpoint()), None
    while True:
        try:
            step = flow.send(reply)
        except StopIteration:
            return
        reply = None
        if isinstance(step, Send):
            reply = model.answer(step.request)
        elif isinstance(step, Page):
            yield step


def leaves(source: Crawl, model: Model) -> Iterator[tuple[Bounds, list[Page]]]:
    """As a worker goes about it: split at once, or by the first page, or walked."""
    assert source.slices
    ahead: list[Bounds] = [source.slices.whole()]
    while ahead:
        bounds = ahead.pop()
        parts = source.slices.known(bounds)
        if not parts:
            flow = walked(source.sliced(bounds), model)
            first = next(flow)
            total = first.total
            if source.slices.needs_total and total is not None:
                parts = source.slices.parts(bounds, total, len(first.documents), source.cap)
            if not parts:
                yield bounds, [first, *flow]
        assert len(parts) != 1
        assert len(parts) <= MOST_CHILDREN
        ahead += parts


def documents(pages: Sequence[Page]) -> list[int]:
    return [int(document) for page in pages for document in page.documents]


points = st.lists(st.integers(-50, 400) | st.integers(90, 110), max_size=120)


@given(
    points=points,
    cap=st.integers(1, 60),
    is_inclusive=st.booleans(),
    ends=st.tuples(st.integers(-60, 0), st.integers(1, 450)),
)
def test_ranges_of_any_collection(points: list[int], cap: int, is_inclusive: bool, ends: tuple[int, int]) -> None:
    """Those that lie in it, once each; only a range of one unit may reach the cap, and it says so."""
    start, end = ends
    model = Model(points, cap, is_inclusive=is_inclusive)
    said = {**DAYS, "from": start, "to": end, "inclusive": is_inclusive}
    expected = Counter(point for point in points if start <= point < end)
    found: Counter[int] = Counter()
    count = 0
    for bounds, pages in leaves(crawl(said, cap=cap), model):
        there = documents(pages)
        count += 1
        if len(there) >= cap:
            assert bounds[1] - bounds[0] == 1
            assert "at-cap" in pages[-1].doubt
            there = [bounds[0]] * expected[bounds[0]]
        found.update(there)
    assert found == expected
    splits = (
        1 + sum(expected.values()) / cap * 9
    )  # each level of a tree that is cut in two, and no range below a full one
    assert count <= splits * MOST_PARTS
    assert model.asked <= count * 2 + sum(expected.values()) + splits


@pytest.mark.parametrize(
    "paginate",
    [{"kind": "offset"}, {"kind": "page"}, LEAST["paginate"], {"kind": "page", "size_param": "limit", "size": 10}],
)
@given(count=st.integers(0, 300), size=st.integers(1, 12), pages=st.integers(1, 40), window=st.integers(1, 4))
def test_pages_of_any_collection(paginate: Mapping[str, Any], count: int, size: int, pages: int, window: int) -> None:
    source = crawl({"by": "pages", "pages": pages}, paginate={**paginate, "window": window})
    found: list[int] = []
    for bounds, walked_pages in leaves(source, Model(range(count), size=size)):
        found += documents(walked_pages)
        if bounds and not bounds["last"]:
            assert len(walked_pages) == min(pages, -(-count // walked_pages_size(walked_pages)))
    assert sorted(found) == list(range(count))


def walked_pages_size(pages: Sequence[Page]) -> int:
    return max(1, len(pages[0].documents))


@given(points=points, values=st.sets(st.integers(0, 6), min_size=1))
def test_values_of_any_collection(points: list[int], values: set[int]) -> None:
    source = crawl({"by": "values", "param": "kind", "values": sorted(values)})
    found = [document for _, pages in leaves(source, Model(points)) for document in documents(pages)]
    assert Counter(found) == Counter(point for point in points if point % 7 in values)


@given(points=points, values=st.sets(st.integers(0, 6), min_size=1), pages=st.integers(1, 4))
def test_values_of_which_some_have_many_pages(points: list[int], values: set[int], pages: int) -> None:
    """No slice has more pages than that, but for those that came meanwhile; and it is all there, once."""
    source = crawl({"by": "values", "param": "kind", "values": sorted(values), "pages": pages})
    found: Counter[int] = Counter()
    for bounds, walked_pages in leaves(source, Model(points)):
        assert bounds[1] - bounds[0] == 1
        there = documents(walked_pages)
        assert len(there) <= 10 * pages
        found.update(there)
    assert found == Counter(point for point in points if point % 7 in values)


@given(st.integers(1, 30_000))
def test_many_values_are_a_tree(count: int) -> None:
    slices = crawl({"by": "values", "param": "kind", "values": list(range(count))}).slices
    assert slices
    found, ahead = list[Bounds](), [slices.whole()]
    while ahead:
        bounds = ahead.pop(0)
        parts = slices.known(bounds)
        assert len(parts) <= MOST_CHILDREN
        assert len(parts) != 1
        ahead += parts
        found += [] if parts else [bounds]
    assert sorted(found) == [[number, number + 1] for number in range(count)]


def test_more_pages_than_one_split_can_have_are_a_tree_and_need_no_further_request() -> None:
    model = Model(range(2_500), size=1)
    source = crawl({"by": "pages", "pages": 5}, paginate={"kind": "page"})
    found = [document for _, pages in leaves(source, model) for document in documents(pages)]
    assert sorted(found) == list(range(2_500))
    assert model.asked == 1 + 2_500 + 1  # the first page once more, and the one behind the last


def test_documents_that_are_added_meanwhile_belong_to_the_last_range() -> None:
    source = crawl({"by": "pages", "pages": 2})
    assert source.slices
    parts = source.slices.parts(None, 45, 10, None)
    larger = Model(range(60))
    found = [document for bounds in parts for document in documents([*walked(source.sliced(bounds), larger)])]
    assert found == list(range(60))


def test_no_range_of_pages_lies_behind_the_cap() -> None:
    source = crawl({"by": "pages", "pages": 2}, cap=50)
    pages = [page for _, pages in leaves(source, Model(range(500), cap=500)) for page in pages]
    assert len(documents(pages)) == 50
    assert sum("at-cap" in page.doubt for page in pages) == 1


@pytest.mark.parametrize(
    ("slices", "bounds"),
    [({"by": "pages", "pages": 1}, None), ({"by": "values", "param": "x", "values": [1], "pages": 1}, [0, 1])],
)
def test_a_total_that_lies_makes_no_slices_without_end(slices: Mapping[str, Any], bounds: Bounds) -> None:
    found = crawl(slices).slices
    assert found
    with pytest.raises(Stop, match=r"100,000,000,000 pages; correct total"):
        found.parts(bounds, 10**12, 10, None)
    assert len(found.parts(bounds, 10**12, 10, 10_000)) > 1


# What is asked


@pytest.mark.parametrize(
    ("slices", "query"),
    [
        ({**DAYS}, "since=2020-01-01&until=2021-01-01"),
        ({**DAYS, "inclusive": True}, "since=2020-01-01&until=2020-12-31"),
        ({**DAYS, "from": date(2020, 1, 1), "to": date(2021, 1, 1)}, "since=2020-01-01&until=2021-01-01"),
        (
            {**DAYS, "from": "2020-01-01T00:00:00+01:00", "to": datetime(2020, 1, 2, tzinfo=UTC), "inclusive": True},
            "since=2019-12-31T23%3A00%3A00Z&until=2020-01-01T23%3A59%3A59Z",
        ),
        (
            {
                **DAYS,
                "from": datetime(2020, 1, 1, tzinfo=UTC),
                "to": "2020-01-02T00:00:00Z",
                "params": {"q": "[{from:%Y%m%d} TO {to:%Y%m%d}]"},
            },
            "q=%5B20200101+TO+20200102%5D",
        ),
        ({**DAYS, "from": -5, "to": "12", "params": {"id": "{from:03d}-{to}"}}, "id=-05-12"),
    ],
)
def test_what_a_range_asks_for(slices: Mapping[str, Any], query: str) -> None:
    source = crawl(slices, cap=10)
    again = parse(json.loads(json.dumps(source.model_dump(mode="json", by_alias=True, exclude_defaults=True))))
    assert again == source
    assert source.slices
    assert urlsplit(source.sliced(source.slices.whole()).first().url).query == query


def test_a_value_takes_the_place_of_the_parameters_own() -> None:
    source = crawl({"by": "values", "param": "kind", "values": [True, "é"]}, url=f"{LEAST['url']}?kind=all&x=1")
    assert source.slices
    asked = [source.sliced(bounds).first().url for bounds in source.slices.known(source.slices.whole())]
    assert [parse_qs(urlsplit(url).query) for url in asked] == [
        {"kind": ["true"], "x": ["1"]},
        {"kind": ["é"], "x": ["1"]},
    ]
    assert [source.slices.title(bounds) for bounds in ([0, 1], [0, 2])] == [
        "kind=true",
        "2 values of kind, from true",
    ]


def test_a_slice_is_a_crawl_of_its_own() -> None:
    source = crawl(DAYS, cap=10, name="x")
    assert source.slices
    assert source.fingerprint != source.sliced(source.slices.whole()).fingerprint
    assert source.sliced(source.slices.whole()).slices is None


# What is refused


@pytest.mark.parametrize(
    ("slices", "more", "expected"),
    [
        (DAYS, {}, "say most, or the API's cap"),
        (DAYS, {"cap": 10, "total": None}, "say where total is"),
        ({"by": "pages", "pages": 2}, {"total": None}, "say where total is"),
        ({"by": "pages", "pages": 2}, {"paginate": {"kind": "link_header"}}, "need pages that are counted"),
        (
            {"by": "values", "param": "x", "values": [1], "pages": 2},
            {"paginate": {"kind": "link_header"}},
            "need pages that are counted",
        ),
        ({"by": "values", "param": "x", "values": [1], "pages": 2}, {"total": None}, "say where total is"),
        ({**DAYS, "most": 5, "to": "2020-01-01"}, {}, "nothing lies between them"),
        ({**DAYS, "most": 5, "to": 7}, {}, "of two kinds"),
        ({**DAYS, "most": 5, "to": "soon"}, {}, "write an integer, a date"),
        ({**DAYS, "most": 5, "to": True}, {}, "write an integer, a date"),
        ({**DAYS, "most": 5, "from": "2020-01-01T00:00:00.5Z"}, {}, "write an integer, a date"),
        ({**DAYS, "most": 5, "params": {"since": "{from}"}}, {}, "does not say both"),
        (
            {**DAYS, "most": 5, "from": 1, "to": 2, "params": {"id": "{from:%Y}{to}"}},
            {},
            "a form that there is none of",
        ),
        ({"by": "values", "param": "kind", "values": ["a", "b", "a"]}, {}, "holds a twice"),
        ({"by": "values", "param": "kind", "values": []}, {}, "at least 1 item"),
        ({"by": "values", "param": "api_key", "values": ["a"]}, {}, "the secret api_key in slices"),
        ({"by": "moon"}, {}, "write a table whose by is one of pages, range, values"),
        ({"pages": 5}, {}, "write a table whose by is one of pages, range, values"),
        ("pages", {}, "write a table whose by is one of pages, range, values"),
        ({**DAYS, "most": 5, "form": 1}, {}, "did you mean from"),
        ({"by": "pages", "pages": 0}, {}, "greater than 0"),
    ],
)
def test_what_is_refused(slices: Mapping[str, Any], more: Mapping[str, Any], expected: str) -> None:
    with pytest.raises(CrawlError, match=expected):
        crawl(slices, **more)
