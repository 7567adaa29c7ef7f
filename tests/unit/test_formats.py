"""Formats: JSONPath, NDJSON, CSV, XML and HTML, in any declared charset, to documents that are JSON."""

import csv
import io
import json
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagefleet.decode import Decoded
from pagefleet.errors import Garbled, Stop
from pagefleet.formats import Format, Reader
from pagefleet.page import Response
from tests.api import document

URL = "https://api.example.org/things"
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)


def read(body: str | bytes, kind: str = "", *, documents: str = "$", format_: Format = "auto", **more: Any) -> Decoded:
    whole = body.encode() if isinstance(body, str) else body
    headers = {"content-type": kind} if kind else {}
    return Reader(format_, documents, **more).read(Response(200, URL, headers, whole))


def values(decoded: Decoded) -> list[Any]:
    return [json.loads(one) for one in decoded.documents]


# JSON

ODD = [document("odd", number) for number in range(3)]
BODY = b'{"hits": [' + b" , ".join(b'{"_source": ' + one + b' ,"n": 1.0}' for one in ODD) + b'], "a": {"b": [1.50]}} '


@pytest.mark.parametrize(
    "path", ["$.hits[*]._source", "$..['_source']", "$.hits[?@.n == 1]._source", "hits[*]._source"]
)
def test_json_path_cuts_the_servers_own_bytes(path: str) -> None:
    assert read(BODY, documents=path).documents == ODD


@pytest.mark.parametrize("path", ["$.hits", "$.hits[*]", "$.hits[0:3]"])
def test_a_query_for_one_place_names_the_array(path: str) -> None:
    assert read(BODY, documents=path).documents == read(BODY, documents="hits").documents


@given(st.lists(VALUES), st.data())
def test_json_path_and_plain_paths_agree(found: list[Any], data: st.DataObject) -> None:
    indent = data.draw(st.sampled_from([None, 0, 3]))
    body = json.dumps({"a": {"b c": found}}, indent=indent, ensure_ascii=data.draw(st.booleans()))
    plain = read(body, documents="$.a['b c']")
    assert read(body, documents="$.a['b c'][*]").documents == plain.documents
    assert values(plain) == found


def test_members_by_json_path() -> None:
    decoded = read(
        b'{"d": [], "m": [{"total": "9"}], "p": [{"n": 1e400}]}', documents="d", members=("m[0].total", "p[0].n")
    )
    assert decoded.members == {"m[0].total": "9", "p[0].n": "1e400"}


def test_half_an_emoji_is_cut_out_as_it_is() -> None:
    assert read(b'{"d": [{"t": "\\ud83d"}]}', documents="$.d[*]").documents == [b'{"t": "\\ud83d"}']


@pytest.mark.parametrize("body", [b' {"a": 1.0} \n', b"\xef\xbb\xbf[1]", b"3"])
def test_the_body_as_the_one_document(body: bytes) -> None:
    assert read(body, documents=".").documents == [body.removeprefix(b"\xef\xbb\xbf").strip()]
    assert read(body, documents=".", members=("a", "b[0]")).documents == [body.removeprefix(b"\xef\xbb\xbf").strip()]


def test_a_member_of_the_one_document() -> None:
    assert read('{"a": {"b": 3}, "c": null}', documents=".", members=("a.b", "c", "d")).members == {"a.b": 3, "c": None}


@pytest.mark.parametrize(
    ("body", "documents", "error", "expected"),
    [
        ('{"a": 1}', "$.b[0]", Stop, r"documents='\$.b\[0\]' names nothing in the page"),
        ('{"a": {"0": 1}}', "$['a']['0'][?@]", None, ""),
        ('{"a": [{"b": 3}]}', "$.a[0].b", Stop, "is a int, not an array"),
        ('{"a": [', "$.a[*]", Garbled, "the page is not JSON"),
        ('{"a": [', ".", Garbled, "the page is not JSON"),
        ("<html>", "$.a[*]", Stop, "the page is not JSON .*: it starts with '<html>'"),
        ("[" * 100_000, "$.a[*]", Stop, "nested too deep|not JSON"),
    ],
)
def test_bodies_that_are_none(body: str, documents: str, error: type[Stop] | None, expected: str) -> None:
    if error is None:
        assert read(body, documents=documents).documents == []
        return
    with pytest.raises(error, match=expected):
        read(body, documents=documents)


# Lines


@pytest.mark.parametrize("kind", ["application/x-ndjson", "application/jsonl; charset=utf-8", "application/json-seq"])
def test_a_document_a_line(kind: str) -> None:
    body = b"\xef\xbb\xbf" + b"\n".join([ODD[0], b"", b"\x1e" + ODD[1] + b"\r", ODD[2]])
    assert read(body, kind).documents == ODD
    assert read(body, format_="ndjson").documents == ODD


def test_a_line_that_is_cut() -> None:
    with pytest.raises(Garbled, match=r"line 2 of the page is not JSON .*: '\{\"a'"):
        read('{"a": 1}\n{"a', format_="ndjson")


@given(st.lists(TEXTS, min_size=1, max_size=4, unique=True), st.data(), st.sampled_from(["csv", "tsv"]))
def test_a_document_a_row(names: list[str], data: st.DataObject, format_: Format) -> None:
    cells = TEXTS | st.sampled_from(['a,"b"', "c\td", "two\r\nlines", "'", " "])
    rows = data.draw(st.lists(st.lists(cells, min_size=len(names), max_size=len(names)), max_size=5))
    text = io.StringIO()
    csv.writer(text, delimiter="," if format_ == "csv" else "\t", quoting=csv.QUOTE_ALL).writerows([names, *rows])
    whole = [dict(zip(names, row, strict=True)) for row in rows]
    assert values(read(text.getvalue(), format_=format_)) == whole
    originals = [one.get("#original") for one in values(read(text.getvalue(), format_=format_, with_original=True))]
    again = csv.reader(io.StringIO("\r\n".join(originals), newline=""), delimiter="," if format_ == "csv" else "\t")
    assert list(again) == rows


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("a,b\n1,2\n3", "line 3 of the page has 1 columns, the first row 2"),
        ('a\n"b', "line 2 of the page is not CSV"),
        ("a,a\n1,2", "the first row of the page names a column twice"),
        (b"a\n\xff", "the page is not UTF-8: byte 2 is 0xff"),
    ],
)
def test_rows_that_are_none(body: str | bytes, expected: str) -> None:
    with pytest.raises(Stop, match=expected):
        read(body, "text/csv")


def test_an_empty_table() -> None:
    assert read("", "text/csv").documents == read("a,b\n", "text/csv").documents == []


# XML

RECORD = '<record id="7"><title>A</title><title lang="fr">B</title><n/>x<!-- c --> y <b>1</b></record>'


def xml(body: str | bytes, documents: str = "//record", kind: str = "application/xml", **more: Any) -> Decoded:
    return read(body, kind, documents=documents, format_="xml", **more)


def test_elements_are_json_by_a_mapping_without_counts() -> None:
    mapped = {"@id": "7", "title": ["A", {"@lang": "fr", "#text": "B"}], "n": [""], "b": ["1"], "#text": "x y"}
    assert values(xml(f"<r>{RECORD}</r>")) == [mapped]
    (with_original,) = values(xml(f"<r>{RECORD}</r>", with_original=True))
    assert with_original == {**mapped, "#original": RECORD}


NAMES = st.from_regex(r"[a-z]{1,3}", fullmatch=True)
CLEAN = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"])).map(
    lambda text: " ".join(text.split())
)


@st.composite
def elements(draw: st.DrawFn, depth: int = 2) -> tuple[str, Any]:
    """An element as XML, and by the mapping."""
    attributes = draw(st.dictionaries(NAMES, CLEAN, max_size=2))
    children = draw(st.lists(elements(depth - 1), max_size=3)) if depth else []
    text = draw(CLEAN)
    mapped: dict[str, Any] = {f"@{name}": value for name, value in attributes.items()}
    names = draw(st.lists(NAMES, min_size=len(children), max_size=len(children)))
    inner = escape(text)
    for name, (written, value) in zip(names, children, strict=True):
        inner += written.replace("<e", f"<{name}", 1)[: -len("</e>")] + f"</{name}>"
        mapped.setdefault(name, []).append(value)
    if mapped and text:
        mapped["#text"] = text
    said = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
    return f"<e{said}>{inner}</e>", mapped or text


@given(st.lists(elements()))
def test_any_element(found: list[tuple[str, Any]]) -> None:
    body = "<all>" + "\n".join(written for written, _ in found) + "</all>"
    assert values(xml(body, "/all/e")) == [mapped for _, mapped in found]


OAI = """<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/"><ListRecords><record><header><identifier>oai:1</identifier>
</header><metadata><oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/"
xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>T</dc:title></oai_dc:dc></metadata></record>
<resumptionToken completeListSize="17"> a/+=? </resumptionToken></ListRecords></OAI-PMH>"""


def test_namespaces() -> None:
    token, size = "//oai:resumptionToken", "//oai:resumptionToken/@completeListSize"
    decoded = xml(OAI, "//oai:record", members=(token, size, "count(//oai:record)", "//oai:error"))
    assert decoded.members == {token: "a/+=?", size: "17", "count(//oai:record)": "1"}
    dublin = {"oai_dc:dc": [{"dc:title": ["T"]}]}
    assert values(decoded) == [{"header": [{"identifier": ["oai:1"]}], "metadata": [dublin]}]
    assert (
        xml(OAI, "//x:record", namespaces={"x": "http://www.openarchives.org/OAI/2.0/"}).documents == decoded.documents
    )


@pytest.mark.invariant("S-6")
@pytest.mark.parametrize(
    ("body", "error", "expected"),
    [
        ('<!DOCTYPE r [<!ENTITY a "b">]><r>&a;</r>', Stop, "document type definition"),
        ('<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><r>&a;</r>', Stop, "document type definition"),
        ('<!DOCTYPE r SYSTEM "http://127.0.0.1:1/x"><r/>', Stop, "document type definition"),
        ("<r><record>", Garbled, "the page is not XML .*: it starts with '<r><record>'"),
        ("", Garbled, "the page is not XML"),
        ("{}", Garbled, "the page is not XML"),
    ],
)
def test_xml_that_is_not_read(body: str, error: type[Stop], expected: str) -> None:
    with pytest.raises(error, match=expected):
        xml(body)


def test_characters_that_xml_forbids_are_left_out() -> None:
    assert values(xml("<r><record>a\x0bb&#12;c&#x1F;d&#10;e&#33;</record></r>")) == ["abcd\ne!"]


def test_an_xpath_that_names_no_elements() -> None:
    with pytest.raises(Stop, match=r"documents='//a/@b' names no elements"):
        xml('<a b="c"/>', "//a/@b")


# HTML

HTML = """<!doctype html><html><head><title>é</title></head><body><ul><li class=a data-id=1>One <b>&amp; é</b>
<li class=a>Two</ul><a rel="prev" href="/p1">back</a><a rel="next nofollow" href="/p3?a=1&amp;b=2">on</a>
<p id=n> 12 </p>"""


def test_html_by_css() -> None:
    members = ("a[rel~=next]", "a[rel~=next]::attr(href)", "#n::text", "title", "b::attr(x)", "i::text")
    decoded = read(HTML, "text/html; charset=utf-8", documents="li.a", format_="html", members=members)
    assert values(decoded) == [
        {"@class": "a", "@data-id": "1", "#text": "One & é"},
        {"@class": "a", "#text": "Two"},
    ]
    assert decoded.members == dict(zip(members, ["/p3?a=1&b=2", "/p3?a=1&b=2", "12", "é"], strict=False))


def test_html_with_its_original() -> None:
    (found,) = values(read("<p><b>x</b></p>", documents="p", format_="html", with_original=True))
    assert found == {"#text": "x", "#original": "<p><b>x</b></p>"}


def test_an_empty_page_of_html() -> None:
    assert read(" ", documents="p", format_="html").documents == []
    assert read("<!-- nothing -->", documents="p", format_="html").documents == []


# Charsets

TEXT = "Zürich € é"
CHARSETS = ["utf-8", "utf-16", "utf-16-le", "iso-8859-15", "windows-1252", "utf-8-sig"]


@pytest.mark.parametrize("charset", CHARSETS)
@pytest.mark.parametrize("format_", ["json", "ndjson", "csv", "xml", "html"])
def test_any_declared_charset(charset: str, format_: Format) -> None:
    bodies = {
        "json": json.dumps([TEXT], ensure_ascii=False),
        "ndjson": json.dumps(TEXT, ensure_ascii=False),
        "csv": f"name\n{TEXT}",
        "xml": f'<?xml version="1.0" encoding="{charset}"?><a><b>{TEXT}</b></a>',
        "html": f"<p>{TEXT}</p>",
    }
    path = {"xml": "//b", "html": "p"}.get(format_, "$")
    decoded = read(bodies[format_].encode(charset), f"x/y; charset={charset}", documents=path, format_=format_)
    whole = {"csv": {"name": TEXT}, "html": {"#text": TEXT}}.get(format_, TEXT)
    assert values(decoded) == [whole]


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-32", "utf-8", "utf-8-sig"])
def test_json_in_utf_16_says_nothing(charset: str) -> None:
    assert values(read(json.dumps([TEXT], ensure_ascii=False).encode(charset))) == [TEXT]


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1"])
def test_xml_and_html_say_it_themselves(charset: str) -> None:
    body = f'<?xml version="1.0" encoding="{charset}"?><a><b>Zürich</b></a>'.encode(charset)
    assert values(xml(body, "//b", "application/xml")) == ["Zürich"]
    page = f'<head><meta charset="{charset}"></head><p>Zürich</p>'.encode(charset)
    assert values(read(page, "text/html", documents="p", format_="html")) == [{"#text": "Zürich"}]


def test_html_that_says_nothing_is_in_utf_8_if_it_can_be() -> None:
    assert values(read("<p>Zürich", "text/html", documents="p", format_="html")) == [{"#text": "Zürich"}]


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_what_the_header_says_of_xml_goes_before_what_it_says_itself(bom: bytes) -> None:
    """RFC 7303, 3.2; but a header that is plainly wrong is only what some server always says."""
    body = '<?xml version="1.0" encoding="iso-8859-1"?><a><b>Zürich</b></a>'
    assert values(read(bom + body.encode(), "text/xml; charset=utf-8", documents="//b", format_="xml")) == ["Zürich"]
    assert values(read(body.encode("latin-1"), "text/xml; charset=utf-8", documents="//b", format_="xml")) == ["Zürich"]


@pytest.mark.parametrize(
    ("charset", "expected"),
    [("no-such", "in 'no-such', which is no character set"), ("ascii", "says that it is in ascii, and is not")],
)
def test_a_charset_that_it_is_not_in(charset: str, expected: str) -> None:
    with pytest.raises(Stop, match=expected):
        read('["é"]', f"application/json; charset={charset}")
