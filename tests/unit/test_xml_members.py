"""Paths into documents that were XML: `key`, `include`, `last:` and `{path}` take an only child for itself."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagefleet.crawl import Crawl
from pagefleet.decode import is_array, is_object, keys_of, member, raw_at, value_at
from pagefleet.errors import Stop
from pagefleet.page import Page, Response
from pagefleet.paths import Through, parse_path
from tests.unit.test_odd_servers import URL, Script, crawl, run

RECORD = """
<record status="new"><header><identifier>oai:x:{n}</identifier><setSpec>a</setSpec>{sets}</header>
<title lang="en">T</title><empty/></record>
"""


def xml(*numbers: int, sets: str = "") -> Response:
    body = "".join(RECORD.format(n=number, sets=sets) for number in numbers)
    return Response(200, URL, {}, f"<list>{body}</list>".encode())


def oai(**more: Any) -> Crawl:
    return crawl({"kind": "none"}, format="xml", **{"documents": "//record", **more})


def documents(*numbers: int, sets: str = "") -> list[bytes]:
    (page,) = run(oai(), Script(xml(*numbers, sets=sets)))
    return list(page.documents)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("header.identifier", "oai:x:1"),
        ("@status", "new"),
        ("title.#text", "T"),
        ("title.@lang", "en"),
        ("title", None),
        ("empty", ""),
        ("header", None),
        ("header.nothing", None),
        ("header.identifier.deeper", None),
        ("@status.deeper", None),
    ],
)
def test_a_key(path: str, key: str | None) -> None:
    names, found = oai(key=path).document_key, documents(1, 2)
    assert member(found[0], names) == key
    assert keys_of(found, names) == [member(one, names) or "" for one in found]
    assert keys_of(found, names)[0] == (key or "")


def test_of_several_children_none_is_meant() -> None:
    (document,) = documents(1, sets="<setSpec>b</setSpec>")
    names = oai().names("header.setSpec")
    assert member(document, names) is None
    assert value_at(document, names) == ["a", "b"]
    assert member(b'{"a":[{"b":["1"]},{"b":["2"]}]}', oai().names("a.b")) is None


def test_in_json_an_array_is_an_array() -> None:
    source = crawl({"kind": "cursor", "next": "last:sort", "param": "json:after"}, key="id")
    script = Script({"data": [{"id": ["a"], "sort": [5]}]}, {"data": []})
    pages = list(run(source, script))
    assert pages[0].cursor == [5]
    assert member(pages[0].documents[0], source.document_key) is None


def test_a_keyset_over_xml() -> None:
    keyset = {"kind": "keyset", "field": "header.identifier", "param": "since", "inclusive": True}
    script = Script(xml(1, 2), xml(2, 3), xml(3))
    source = Crawl.model_validate({"url": URL, "documents": "//record", "format": "xml", "paginate": keyset})
    assert [len(page.documents) for page in run(source, script)] == [2, 1, 0]
    assert [asked.url.rpartition("=")[2] for asked in script.asked[1:]] == ["oai%3Ax%3A2", "oai%3Ax%3A3"]


def test_rows_that_come_again_are_noticed() -> None:
    offset = {"kind": "offset"}
    source = Crawl.model_validate(
        {"url": URL, "documents": "//record", "format": "xml", "paginate": offset, "key": "header.identifier"}
    )
    doubts = [page.doubt for page in run(source, Script(xml(1, 2), xml(2, 3), xml()))]
    assert doubts == ["", "overlap", ""]


def children(each: dict[str, Any], sets: str = "") -> list[Page]:
    script = Script(xml(1, sets=sets), {"a": 1})
    try:
        return list(run(oai(each=each), script))
    finally:
        assert all(asked.url in (URL, f"{URL}/oai%3Ax%3A1") for asked in script.asked)


def test_parents() -> None:
    each = {"url": "/things/{header.identifier}", "include": {"set": "header.setSpec", "no": "header.no"}}
    assert children(each)[0].documents == [b'{"set":"a","no":null,"a": 1}']
    assert json.loads(children(each, "<setSpec>b</setSpec>")[0].documents[0])["set"] == ["a", "b"]
    with pytest.raises(Stop, match=r"it has no 'header\.setSpec'"):
        children({"url": "/things/{header.setSpec}"}, "<setSpec>b</setSpec>")


TREES: Any = st.recursive(
    st.text(max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), st.lists(inner, min_size=1, max_size=2), max_size=3),
    max_leaves=8,
)


@given(TREES, st.lists(st.sampled_from("abc"), min_size=1, max_size=3))
def test_any_path_into_any_element(tree: Any, names: list[str]) -> None:
    expected: Any = tree
    for name in names:
        expected = expected.get(name) if is_object(expected) else None
        expected = expected[0] if is_array(expected) and len(expected) == 1 else expected
    found = raw_at(msgspec.json.encode(tree), Through(parse_path(".".join(names))))
    assert (None if found is None else json.loads(found)) == expected
