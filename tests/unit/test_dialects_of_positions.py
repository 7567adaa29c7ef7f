"""Dialects without cursors of the server's: behind the last document, by counting, and a request for each document."""

import json
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pagefleet.errors import Stop
from pagefleet.page import Request, Response
from tests.unit.dialects import Dialect, Fields, Sent, answered, assert_exact, collections, sent
from tests.unit.test_dialects_of_cursors import at, third
from tests.unit.test_walk import page


def of(one: bytes, path: str) -> Any:
    """A member of a document."""
    found: Any = json.loads(one)
    for name in path.split("."):
        found = found[name]
    return found


def said(paginate: Fields, *places: str, **more: Any) -> Fields:
    """A crawl with all that is needed where values go into a body or a path."""
    fields: Fields = {"paginate": paginate, **more}
    if any(place.startswith("body:") for place in places):
        fields |= {"method": "POST", "body": {"q": 1}}
    if any(place.startswith("path:") for place in places):
        fields |= {"url": "https://api.example.org/from/{at}/things"}
    return fields


def value(asked: Sent, place: str) -> Any:
    """What stands at this place, or in the path."""
    if place.startswith("path:"):
        return unquote(asked.path.split("/")[2])
    return at(asked, place)


# Behind the last document


@st.composite
def ordered(draw: st.DrawFn, least: int = 1) -> tuple[list[bytes], int]:
    """Documents in the order of `id`, `key` and (`group`, `id`); no more than `size - 1` have one `group`."""
    size = draw(st.integers(least, 7))
    count = draw(st.sampled_from([0, 1, size - 1, size, size + 1, 2 * size, 3 * size + 1]) | st.integers(0, 15))
    steps = draw(st.lists(st.integers(1, 3), min_size=count, max_size=count))
    together = draw(st.integers(1, max(1, size - 1)))
    number, documents = -2, list[bytes]()
    for index, step in enumerate(steps):
        number += step
        group = index // together
        documents.append(json.dumps({"id": number, "of": {"key": f"{index:02} é+&", "group": group}}).encode())
    return documents, size


class Filtering(Dialect):
    """Everything above a value, or from it on; with a tie, above it or equal and above the tie's."""

    def answer(self, request: Request) -> Response:
        asked, ways = sent(request), self.ways
        size = int(value(asked, ways["limit_at"]) if "limit_at" in ways else self.size)
        assert size == self.size
        bound = self._read(value(asked, ways["param"]), ways["field"])
        tie = self._read(value(asked, ways["tie_at"]), "id") if "tie_at" in ways else None
        found = [one for one in self.documents if bound is None or self._is_behind(one, bound, tie)]
        return answered(found[:size])

    def _read(self, text: Any, field: str) -> Any:
        return text if text is None or field.endswith("key") else int(text)

    def _is_behind(self, one: bytes, bound: Any, tie: Any) -> bool:
        here = of(one, self.ways["field"])
        if tie is not None:
            return bool((here, of(one, "id")) > (bound, tie))
        return bool(here >= bound if self.ways["inclusive"] else here > bound)


PUT = ["since", "json:startkey", "body:filter.gt", "header:X-Since"]


@pytest.mark.parametrize("param", PUT)
@third
@given(collection=ordered(), field=st.sampled_from(["id", "of.key"]), start=st.booleans())
def test_keyset_exclusive(param: str, collection: Any, field: str, start: bool) -> None:
    assume(not (field == "of.key" and param.startswith("header:")))  # a header holds ASCII
    first: Fields = {"start": {"id": -9, "of.key": ""}[field]} if start else {}
    server = Filtering(*collection, param=param, field=field, inclusive=False)
    assert_exact(server, said({"kind": "keyset", "field": field, "param": param, **first}, param))


@pytest.mark.parametrize("param", ["since", "json:startkey", "body:filter.gte"])
@third
@given(collection=ordered(2), field=st.sampled_from(["id", "of.key", "of.group"]))
def test_keyset_inclusive(param: str, collection: Any, field: str) -> None:
    values = {str(of(one, field)) for one in collection[0]}
    assume(len(values) != 1 or len(collection[0]) == 1)  # a page full of one value might hide what is behind it: Stop
    server = Filtering(*collection, param=param, field=field, inclusive=True)
    assert_exact(server, said({"kind": "keyset", "field": field, "param": param, "inclusive": True}, param))


@given(ordered())
def test_keyset_with_a_tie(collection: Any) -> None:
    server = Filtering(*collection, param="group", field="of.group", tie_at="body:tie", inclusive=False)
    paginate = {"kind": "keyset", "field": "of.group", "param": "group", "tie": "id", "tie_param": "body:tie"}
    assert_exact(server, said(paginate, "body:tie"))


@given(ordered(), st.sampled_from(["limit", "body:limit", "header:X-Limit"]))
def test_keyset_with_a_limit(collection: Any, limit_at: str) -> None:
    server = Filtering(*collection, param="since", field="id", limit_at=limit_at, inclusive=False)
    paginate = {"kind": "keyset", "param": "since", "limit_param": limit_at, "limit": collection[1]}
    assert_exact(server, said(paginate, limit_at))


# By counting

ENDS: list[Any] = [
    (200, "", []),
    (404, "Invalid page.", ["404"]),
    (400, '{"code": "no_such_page"}', ["404", "400 no_such_page"]),
]
"""What a server says behind its last page, and how the crawl file says that this is the end."""


class Counting(Dialect):
    """By documents or by pages, from `start` on, never more than `size` a page, whatever is asked for."""

    def answer(self, request: Request) -> Response:
        asked, ways = sent(request), self.ways
        if "limit" in ways:
            assert int(value(asked, ways["limit_at"])) == ways["limit"]
        size = min(self.size, ways.get("limit", self.size))
        number = int(value(asked, ways["param"])) - ways["start"]
        assert number >= 0
        begin = number * size if ways["kind"] == "page" else number
        if begin >= len(self.documents) and begin > 0 and ways.get("end", (200,))[0] != 200:
            return page(ways["end"][1], ways["end"][0])
        count = (
            max(1, -(-len(self.documents) // size)) if ways.get("pages_of_nothing") else -(-len(self.documents) // size)
        )
        flags: Fields = {"more": begin + size < len(self.documents), "last": begin + size >= len(self.documents)}
        documents = list(self.documents[begin : begin + size])
        headers = {"X-Pages": str(count), "X-More": str(flags["more"]), "X-Total": str(len(self.documents))}
        return answered(documents, headers, meta=flags | {"pages": ways.get("written", int)(count)})


STARTS = st.sampled_from([0, 1, 100])
LIMITS = st.sampled_from([{}, {"limit": 1}, {"limit": 3}, {"limit": 50}])


@pytest.mark.parametrize("param", ["offset", "$skip", "body:from", "header:X-Offset", "path:at"])
@third
@given(collection=collections(), start=STARTS, limit=LIMITS, end=st.sampled_from(ENDS))
def test_offset(param: str, collection: Any, start: int, limit: Fields, end: Any) -> None:
    server = Counting(*collection, kind="offset", param=param, start=start, limit_at="limit", end=end, **limit)
    paginate: Fields = {"kind": "offset", "param": param, "start": start, "past_end": end[2], **limit}
    assert_exact(server, said({**paginate, **({"limit_param": "limit"} if limit else {})}, param))


@pytest.mark.parametrize("param", ["page", "page[number]", "body:page", "path:at"])
@third
@given(collection=collections(), start=STARTS, size=LIMITS, end=st.sampled_from(ENDS))
def test_page(param: str, collection: Any, start: int, size: Fields, end: Any) -> None:
    server = Counting(*collection, kind="page", param=param, start=start, limit_at="header:X-Size", end=end, **size)
    paginate: Fields = {"kind": "page", "param": param, "start": start, "past_end": end[2]}
    sizes = {"size_param": "header:X-Size", "size": size["limit"]} if size else {}
    assert_exact(server, said({**paginate, **sizes}, param))


@pytest.mark.parametrize("kind", ["offset", "page"])
@pytest.mark.parametrize("end", [(400, "the parameter is wrong"), (422, "no_such_page")])
def test_an_error_with_other_words_or_another_status_is_none_of_these(kind: str, end: Any) -> None:
    server = Counting([b"1", b"2"], 2, kind=kind, param=kind, start=0, end=end)
    with pytest.raises(Stop, match=f"the server answered {end[0]}"):
        assert_exact(server, said({"kind": kind, "start": 0, "past_end": ["400 no_such_page"]}))


@given(
    collections(), STARTS, st.sampled_from(["meta.pages", "header:X-Pages"]), st.sampled_from([int, str]), st.booleans()
)
def test_page_of_so_many(collection: Any, start: int, pages: str, written: Any, of_nothing: bool) -> None:
    ways: Fields = {"written": written, "pages_of_nothing": of_nothing, "end": (500, "")}
    server = Counting(*collection, kind="page", param="page", start=start, **ways)
    assert_exact(server, said({"kind": "page", "start": start, "pages": pages}))


@pytest.mark.parametrize("kind", ["offset", "page"])
@given(
    collection=collections(),
    flag=st.sampled_from([{"more": "meta.more"}, {"done": "meta.last"}, {"more": "header:x-more"}]),
)
def test_a_flag_spares_the_last_request(kind: str, collection: Any, flag: Fields) -> None:
    server = Counting(*collection, kind=kind, param=kind, start=0, end=(500, ""))
    assert_exact(server, said({"kind": kind, "start": 0, **flag}))


@pytest.mark.parametrize("kind", ["offset", "page"])
@given(collection=collections(), status=st.sampled_from([400, 404, 416, 422]))
def test_an_error_behind_the_total_is_the_end(kind: str, collection: Any, status: int) -> None:
    server = Counting(*collection, kind=kind, param=kind, start=0, end=(status, "no"))
    assert_exact(server, said({"kind": kind, "start": 0}, total="header:X-Total"))
