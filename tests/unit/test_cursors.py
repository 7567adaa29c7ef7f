"""A cursor that somebody kept, or made up: it leads on, or is refused in words; it never breaks a walk."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagefleet import pages
from pagefleet.crawl import Crawl
from pagefleet.decode import is_array, is_object
from pagefleet.errors import FetchError, LaterRelease, PagefleetError, Stop
from pagefleet.fetch import Send
from pagefleet.page import Checkpoint, Cursor, Page, Response
from pagefleet.source import PythonSource
from pagefleet.url import origin
from pagefleet.walk import walk

URL = "https://api.example.org/things"
SIZED = {"kind": "offset", "limit_param": "limit", "limit": 12}
KEYSET = {"kind": "keyset", "param": "since", "inclusive": True}
CURSOR = {"kind": "cursor", "next": "next"}
CHILD = {"url": "/things/{id}", "documents": "data"}
PAGINATORS: dict[str, dict[str, Any]] = {
    "none": {"kind": "none"},
    "offset": {"kind": "offset"},
    "sized offset": SIZED,
    "page": {"kind": "page"},
    "sized page": {"kind": "page", "size_param": "size", "size": 12},
    "keyset": KEYSET,
    "keyset with a tie": {"kind": "keyset", "param": "since", "tie": "tie", "tie_param": "after"},
    "link_header": {"kind": "link_header"},
    "next_url": {"kind": "next_url", "fallback": "restart"},
    "link_object": {"kind": "link_object", "next": "next"},
    "cursor": CURSOR,
    "cursor in JSON": {**CURSOR, "param": "body:a.b"},
    "cursor in a body that is a list": {**CURSOR, "param": "body:a"},
    "cursor in a header": {**CURSOR, "param": "header:X-Cursor", "replay": "single-use"},
    "cursor in a path": {**CURSOR, "param": "path:id"},
    "cursor in a form": {**CURSOR, "param": "form:a"},
    "cursor and more": {**CURSOR, "param": "json:$top", "carry": {"b": "total", "body:c.d": "more"}},
    "cursor over a keyset": {**CURSOR, "fallback": KEYSET},
    "cursor over an offset": {**CURSOR, "param": "json:a", "fallback": SIZED},
    "cursor over a page": {**CURSOR, "fallback": {"kind": "page", "size_param": "size", "size": 12}},
    "continue": {"kind": "continue", "next": "next"},
}
EACH: dict[str, Mapping[str, Any]] = {
    "": {},
    "children": {"each": {**CHILD, "paginate": SIZED}},
    "children of children": {"each": {**CHILD, "paginate": CURSOR, "each": {**CHILD, "paginate": {"kind": "page"}}}},
}
CASES = [
    *((kind, "") for kind in PAGINATORS),
    *((kind, each) for kind in ("sized offset", "link_object", "cursor over a keyset") for each in EACH if each),
]
NAMES = st.sampled_from(
    [
        *("$replay", "$narrow", "$fallback", "$cursor", "$keyset", "parent", "index", "mark", "child", "pointer"),
        *("href", "body", "merge", "param", "cursor", "json:$top", "b", "body:c.d", "a"),
    ]
)
TEXTS = st.sampled_from(["", "shown", "nonsense", URL, f"{URL}?a=1", "//x", "http://", "\ud83d", "a\nb", "env:HOME"])
SCALARS = st.none() | st.booleans() | st.integers(-2, 30) | st.floats() | TEXTS
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)


def crawl(paginate: Mapping[str, Any], **more: Any) -> Crawl:
    body: dict[str, Any] = {"method": "POST", "body": [] if paginate.get("param") == "body:a" else {"a": 1}}
    said = {"url": f"{URL}/{{id}}", "documents": "data", "paginate": paginate, "limits": {"attempts": 1}, **more}
    return Crawl.model_validate({**said, **body} if "body" in str(paginate) else said)


ROWS = [{"id": number, "tie": number} for number in range(3)]


def answer(text: str) -> Response:
    body = {"data": ROWS if text.endswith("?") else ROWS[:1], "next": "x", "total": 3, "more": "y"}
    return Response(200, URL, {}, json.dumps(body).encode())


def steps(source: Crawl, cursor: Cursor, most: int = 8) -> list[Page]:
    """The first pages from a cursor on, from a server that has an answer to everything."""
    flow, reply, found = walk(source, Checkpoint(cursor=cursor)), None, list[Page]()
    for _ in range(most):
        try:
            step = flow.send(reply)
        except StopIteration:
            break
        reply = None
        if isinstance(step, Send):
            assert origin(step.request.url) == origin(URL)
            reply = answer(step.request.url)
        elif isinstance(step, Page):
            found.append(step)
    return found


MADE: list[Any] = [
    *({"$narrow": [12, 4, 24]}, [1, None, ["a"], 3], [1, 2, [], 3], "x", URL, 24),
    *({"href": URL, "body": {"a": 1}, "merge": True}, {"json:$top": "x", "b": 1}, {"$cursor": {"$a": 1}}),
    *({"$fallback": [1, None, [], 3]}, {"$fallback": 12}, {"$fallback": {"$narrow": [12, 4, 24]}}),
    *({"$cursor": "x", "$keyset": [1, None, [], 3]}, {"$replay": [{"$narrow": [12, 1, 24]}]}),
    {"parent": [None, 0, None, ""], "index": 0, "mark": "x", "child": [12, 12, 30, ""], "pointer": ""},
]
"""Such as pages have."""


@st.composite
def cursors(draw: st.DrawFn) -> Any:
    """Those that pages have, with something in them that is not as it was; or anything else."""
    return spoilt(draw, draw(st.sampled_from(MADE)))


def spoilt(draw: st.DrawFn, tree: Any) -> Any:
    """The tree with at most one value of it gone, or in another's place."""
    if draw(st.integers(0, 3)) == 0:
        return draw(JSON)
    if is_object(tree) and tree:
        name = draw(st.sampled_from(sorted(tree)))
        rest = {other: value for other, value in tree.items() if other != name}
        return rest if draw(st.integers(0, 3)) == 0 else {**tree, name: spoilt(draw, tree[name])}
    if is_array(tree) and tree:
        index = draw(st.integers(0, len(tree) - 1))
        return [*tree[:index], spoilt(draw, tree[index]), *tree[index + 1 :]]
    return tree


@pytest.mark.parametrize(("kind", "each"), CASES)
@given(cursor=cursors())
def test_any_cursor_leads_on_or_is_refused(kind: str, each: str, cursor: Any) -> None:
    try:
        steps(crawl(PAGINATORS[kind], **EACH[each]), cursor)
    except (FetchError, LaterRelease) as error:
        assert len(str(error)) < 800  # noqa: PT017  # most cursors lead on


@pytest.mark.parametrize(("kind", "each"), CASES)
def test_the_cursors_of_pages_fit(kind: str, each: str) -> None:
    source = crawl(PAGINATORS[kind], **EACH[each])
    try:
        found = steps(source, None)
    except Stop as stop:
        assert "no page of such a crawl" not in str(stop)  # noqa: PT017  # the server goes round in circles
        return
    for page in found:
        if page.cursor is not None:
            try:
                steps(source, json.loads(json.dumps(page.cursor)), 2)
            except Stop as stop:
                assert "no page of such a crawl" not in str(stop)  # noqa: PT017  # the same


NONSENSE: list[tuple[str, Any]] = [
    ("none", "nonsense"),
    ("offset", "nonsense"),
    ("offset", "20"),
    ("offset", True),
    ("page", {"$narrow": 5}),
    ("sized page", {"$narrow": [0, 0, 0]}),
    ("sized page", {"$narrow": [0, 10**30, 10**31]}),
    ("keyset", "nonsense"),
    ("keyset", [1]),
    ("link_header", "nonsense"),
    ("link_object", {"href": 5, "body": None, "merge": False}),
    ("cursor", ["nonsense"]),
    ("cursor", {}),
    ("cursor and more", "nonsense"),
    ("cursor over a keyset", {"$fallback": "nonsense"}),
    ("cursor over a keyset", {"$cursor": "x", "$keyset": "nonsense"}),
    ("continue", "nonsense"),
    ("cursor in JSON", (1, 2)),
    ("cursor in JSON", Ellipsis),
    ("cursor in JSON", float("nan")),
    ("continue", {1: 2}),
    ("offset", {"$replay": []}),
    ("offset", {"$replay": [{"$replay": [1]}]}),
    ("offset", {"$replay": [None]}),
]


@pytest.mark.parametrize(("kind", "cursor"), NONSENSE, ids=str)
def test_nonsense_is_refused_before_anything_is_asked(kind: str, cursor: Any) -> None:
    with pytest.raises(PagefleetError) as refusal:
        next(iter(pages(crawl(PAGINATORS[kind]), cursor)))
    assert str(refusal.value).startswith("going on from the cursor ")
    assert "; give the cursor of a page as that had it, or None to begin at the start" in str(refusal.value)


@pytest.mark.parametrize("cursor", ["nonsense", {"parent": 5}, {"$narrow": [12, 4, 24]}])
def test_nonsense_for_children(cursor: Any) -> None:
    with pytest.raises(Stop, match="no page of such a crawl has one like it"):
        next(iter(pages(crawl(SIZED, **EACH["children"]), cursor)))


def test_what_python_does_not_write() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Stop, match=r"going on from the cursor list… of"):
        next(iter(pages(crawl(PAGINATORS["cursor in JSON"]), deep)))
    with pytest.raises(Stop, match=r"going on from the cursor int… of"):
        next(iter(pages(crawl(SIZED), 10**5000)))


@given(JSON)
def test_a_source_in_python_is_given_what_it_can_have_yielded(cursor: Any) -> None:
    source = PythonSource(function="tests.unit.test_cursors:nobody")
    with pytest.raises(PagefleetError):
        next(iter(pages(source, cursor)))
