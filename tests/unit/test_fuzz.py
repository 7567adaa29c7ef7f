"""Whatever a server says: decoders, the Link parser and paginators answer, or raise what the walk knows."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pagefleet.crawl import Crawl
from pagefleet.errors import FetchError, Stop
from pagefleet.fetch import Send
from pagefleet.formats import Reader
from pagefleet.page import Checkpoint, Page, Response
from pagefleet.paginators.links import parse_link
from pagefleet.url import joined, origin, safe
from pagefleet.walk import walk

URL = "https://api.example.org/things"
READERS = {
    "json": Reader("json", "data", ["next", "meta.total"]),
    "array": Reader("json", "$"),
    "whole": Reader("json", ".", ["next"]),
    "jsonpath": Reader("json", "$..a", ["$.next"]),
    "ndjson": Reader("ndjson", "$"),
    "csv": Reader("csv", "$"),
    "tsv": Reader("tsv", "$"),
    "xml": Reader("xml", "//a", ["//next"]),
    "html": Reader("html", "a", ["a.next::attr(href)"]),
}
PIECES = st.sampled_from(
    [
        *(
            b"{",
            b"}",
            b"[",
            b"]",
            b",",
            b":",
            b'"',
            b"\\",
            b'"data":',
            b'"next":',
            b'"a":',
            b"1",
            b"-",
            b"1e999",
            b"null",
        ),
        *(
            b"NaN",
            b'\\ud83d"',
            b"\\u0000",
            b"\xff",
            b"\xef\xbb\xbf",
            b"\x00",
            b"\n",
            b"\r\n",
            b"\t",
            b" ",
            b"a",
            b"\xc3\xa9",
        ),
        *(b"<a>", b"</a>", b"<a", b' b="c"', b"/>", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"&x;", b"&#0;", b"<?xml?>"),
        *(b'<!DOCTYPE a [<!ENTITY x "y">]>', b"<x:a>", b' xmlns:x="u"', b"0" * 5000, b"[" * 70, b"<b>" * 300),
    ]
)
BODIES = st.lists(PIECES | st.binary(max_size=3), max_size=40).map(b"".join)
CHARSETS = st.sampled_from(["", "utf-8", "utf-16", "latin-1", "utf-7", "nonsense", "idna", "hex", "undefined"])


@pytest.mark.parametrize("name", READERS)
@given(body=BODIES, charset=CHARSETS)
@example(body=b'{"data": [{"a": "\xff"}]}', charset="")
@example(body=b"\x00{\x00}", charset="")
def test_a_body(name: str, body: bytes, charset: str) -> None:
    """Documents are bytes that anybody can read as JSON."""
    response = Response(200, URL, {"content-type": f"text/plain; charset={charset}"}, body)
    try:
        decoded = READERS[name].read(response)
    except Stop:
        return
    for document in decoded.documents:
        json.loads(document, parse_int=str)
    json.dumps(decoded.members)


HEADERS = st.lists(
    st.sampled_from(["<", ">", ";", ",", "rel=", '"', "next", "\\", " ", "anchor=", "http://a/", "=", "é", "\t"]),
    max_size=30,
).map("".join)


@given(HEADERS | st.text(max_size=40))
def test_a_link_header(header: str) -> None:
    assert all(isinstance(target, str) for target in parse_link(header).values())


LINKS = st.lists(
    st.sampled_from([*"/:?#[]@%\\ .a1é", "//", "http:", "xn--", "①", "..", "%zz", "\x00", "\ud83d", "javascript:"]),
    max_size=12,
).map("".join)


@given(LINKS)
@example("http://xn--!/")
@example("//[::1")
def test_a_link(link: str) -> None:
    try:
        origin(joined(URL, link))
    except Stop:
        return
    safe(link)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | LINKS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["href", "rel", "method", "body", "merge", "a", "id"]), inner, max_size=4)
    ),
    max_leaves=8,
)
PAGINATORS: list[dict[str, Any]] = [
    {"kind": "next_url"},
    {"kind": "link_header"},
    {"kind": "link_object", "next": "next"},
    {"kind": "cursor", "next": "next", "carry": {"b": "total"}},
    {"kind": "cursor", "next": "next", "param": "body:a.b"},
    {"kind": "cursor", "next": "next", "param": "header:X-Cursor"},
    {"kind": "cursor", "next": "next", "param": "form:a", "more": "more"},
    {"kind": "cursor", "next": "next", "param": "json:a", "fallback": "restart"},
    {"kind": "continue", "next": "next", "complete": "more"},
    {"kind": "keyset", "field": "id", "param": "since"},
    {"kind": "offset", "done": "next"},
    {"kind": "page", "pages": "next"},
]


@pytest.mark.parametrize("paginate", PAGINATORS, ids=lambda said: f"{said['kind']} {said.get('param', '')}")
@given(following=JSON, total=JSON, more=JSON, documents=st.lists(JSON, max_size=3), link=HEADERS)
def test_an_answer(paginate: dict[str, Any], following: Any, total: Any, more: Any, documents: Any, link: str) -> None:
    """Every request that comes of it stays on the crawl's origin."""
    said = {"url": URL, "documents": "data", "total": "total", "paginate": paginate, "limits": {"attempts": 1}}
    crawl = Crawl.model_validate({**said, "method": "POST", "body": {"a": 1}} if "body" in str(paginate) else said)
    body = json.dumps({"data": documents, "next": following, "total": total, "more": more}).encode()
    flow, reply = walk(crawl, Checkpoint()), None
    try:
        for _ in range(12):
            step = flow.send(reply)
            reply = None
            if isinstance(step, Send):
                assert origin(step.request.url) == origin(URL)
                reply = Response(200, step.request.url, {"link": link}, body)
            elif isinstance(step, Page):
                json.dumps(step.cursor).encode()
    except (StopIteration, FetchError):
        return
