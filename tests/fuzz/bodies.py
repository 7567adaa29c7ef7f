"""Bodies: what decoders cut out of them is what another reading of the same bytes finds, and nothing else is raised."""

import json
from collections.abc import Callable
from typing import Any

from pagefleet.bounds import DEFAULT
from pagefleet.decode import STAND_IN, SURROGATE, Decoded, Decoder, is_array, is_object, read_float, read_int
from pagefleet.errors import PagefleetError
from pagefleet.formats import BOM, MOST_COLUMNS, Format, Reader
from pagefleet.jsonpath import JsonPathDecoder
from pagefleet.page import Response
from pagefleet.paths import parse_path
from tests.fuzz.draw import Draw

URL = "https://api.example.org/things"
NOTHING = object()
"""Is there, in place of what cannot be read, or is not in it."""

JSON = [
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b'"',
        b"\\",
        b" ",
        b"\n",
        b"\r\n",
        b"\t",
        b"\x00",
        b"\xff",
        BOM,
        b"\xed\xa0\xbd",
    ),
    *(
        b'"data":',
        b'{"data":[',
        b'"next":',
        b'"meta":{"total":',
        b'"a":',
        b'{"a":{"b":[',
        b'{"a b":{"":[',
        b'"n":',
        b"]}",
    ),
    *(b"1", b"-", b"-0", b"01", b"1.", b"0.10", b"1e999", b"1E+2", b"0" * 4301, b"null", b"true", b"NaN", b"Infinity"),
    *(
        b'"\\ud83d"',
        b'"\\uDE00"',
        b'"\\uE000"',
        b'"\\ud83d\\ude00"',
        b'"\\u0000"',
        b'"\\/"',
        b'"\\x"',
        b"\xc3\xa9",
        b'"\xc3\xa9":',
    ),
    *(b"[" * 63, b"]" * 63, b"[" * 2000, b'{"a":' * 62, b"}" * 62, b'"[{\\"', b"\x1e"),
]
MARKUP = [
    *(b"<a>", b"</a>", b"<a", b' b="c"', b">", b"/>", b"<next>", b"</next>", b"<!--", b"-->", b"<![CDATA[", b"]]>"),
    *(b"&x;", b"&#0;", b"&#xd800;", b"&amp;", b"<?a b?>", b'<!DOCTYPE a [<!ENTITY x "y">]>', b"<x:a>", b' xmlns:x="u"'),
    *(
        b"<?xml version='1.0'?>",
        b'<?xml version="1.0" encoding="ISO-8859-1"?>',
        b"<a>\xc3\xa9</a>",
        b'<meta charset="latin-1">',
        b"\xe9",
    ),
    *(b'<feed xmlns="http://www.w3.org/2005/Atom"><entry>', b"</entry></feed>", b'<link rel="next" href="?a">'),
    *(
        b"<table><tr><td>",
        b"</table>",
        b"<b>" * 300,
        b" ",
        b"\n",
        b"\r",
        b",",
        b'"',
        b'""',
        b"\t",
        b"c",
        b"\xc3\xa9",
        b"\x00",
    ),
]

# JSON

PATHS: list[tuple[str, tuple[str, ...]]] = [
    ("data", ("next", "meta.total")),
    ("$", ()),
    ("a.b", ("a.n", "links")),
    ("$['a b']['']", ("$['/']",)),
    ("é", ("data",)),
]
PLAIN = {path: Decoder(path, members) for path, members in PATHS}
QUERIES = {path: JsonPathDecoder(path, members) for path, members in PATHS}
ELEMENTS = {path: JsonPathDecoder(f"{path}[*]") for path, _ in PATHS}


def json_(draw: Draw) -> None:
    """Documents are slices of the body, in order, and what Python's own reading finds; what that can read, is read."""
    path, members = draw.choice(PATHS)
    body = draw.body(JSON)
    decoded = _outcome(lambda: PLAIN[path].decode(body))
    tree = _tree(body)
    there = _at(tree, path)
    if decoded is None:
        halves = SURROGATE.search(body) and STAND_IN.search(body)
        is_right = not is_array(there) or _depth(tree) > DEFAULT.depth or halves
        assert is_right, "JSON with an array at the path is refused"
        return
    assert [_tree(document) for document in decoded.documents] == (there or []), "documents are other values"
    _check_slices(body, decoded.documents)
    simple = json.loads(body.removeprefix(BOM), parse_float=read_float, parse_int=read_int)
    found = {member: value for member in members if (value := _at(simple, member)) is not NOTHING}
    assert json.dumps(dict(decoded.members), sort_keys=True) == json.dumps(found, sort_keys=True), "other members"


def jsonpath(draw: Draw) -> None:
    """Both decoders of JSON give the same for a path that both can read, or both refuse."""
    path, _ = draw.choice(PATHS)
    body = draw.body(JSON)
    one, other = _outcome(lambda: PLAIN[path].decode(body)), _outcome(lambda: QUERIES[path].decode(body))
    if one is None:
        assert other is None or not other.documents, "only the query reads it"
        return
    assert other is not None, "only the chain of members reads it"
    assert one.documents == other.documents, "other documents"
    assert json.dumps(dict(one.members)) == json.dumps(dict(other.members)), "other members"
    assert ELEMENTS[path].decode(body).documents == one.documents, "its elements are others than the array's"


def _outcome(decode: Callable[[], Decoded]) -> Decoded | None:
    """None: refused as a page may be."""
    try:
        return decode()
    except PagefleetError as error:
        str(error).encode()  # it goes into Redis
        return None


def _tree(text: bytes) -> Any:
    """Python's own reading, with numbers as they are written."""
    try:
        return json.loads(
            str(text.removeprefix(BOM), "utf-8"),
            parse_float=lambda digits: ("number", digits),
            parse_int=lambda digits: ("number", digits),
            parse_constant=_refused,
        )
    except (ValueError, RecursionError):
        return NOTHING


def _refused(name: str) -> None:
    raise ValueError(name)


def _at(tree: Any, path: str) -> Any:
    for name in parse_path(path):
        tree = tree.get(name, NOTHING) if is_object(tree) else NOTHING
    return tree


def _depth(tree: Any) -> int:
    if is_object(tree):
        tree = list(tree.values())
    return 1 + max(map(_depth, tree), default=0) if is_array(tree) else 0


def _check_slices(body: bytes, documents: list[bytes]) -> None:
    place = 0
    for document in documents:
        found = body.find(document, place)
        assert found >= 0, f"{document!r} is not in the body, behind those before it"
        place = found + len(document)


# All formats

READERS: dict[str, tuple[Format, Reader]] = {
    "json": ("json", Reader("json", "data", ["next", "meta.total"])),
    "array": ("json", Reader("json", "$")),
    "whole": ("json", Reader("json", ".", ["next"])),
    "jsonpath": ("json", Reader("json", "$..a", ["$.next"])),
    "auto": ("auto", Reader("auto", "data", ["next"])),
    "ndjson": ("ndjson", Reader("ndjson", "$")),
    "csv": ("csv", Reader("csv", "$", with_original=True)),
    "tsv": ("tsv", Reader("tsv", "$")),
    "xml": ("xml", Reader("xml", "//a", ["//next", "count(//a)", "//@b"])),
    "atom": ("xml", Reader("xml", "//atom:entry", ["//atom:link[@rel='next']/@href"], with_original=True)),
    "html": ("html", Reader("html", "a", ["a.next::attr(href)", "b::text"])),
    "rows": ("html", Reader("html", "tr > td", ["a"], with_original=True)),
}
KINDS = [
    "",
    "application/json",
    "application/x-ndjson",
    "text/csv",
    "text/tab-separated-values",
    "text/html",
    "Text/XML",
]
CHARSETS = ["utf-8", "latin-1", "utf-16", "utf-16-le", "utf-32", "windows-1252", "shift_jis", "gb18030", "utf-7", "hex"]


def formats(draw: Draw) -> None:
    """Documents are JSON to anybody, and the same text in another character set has the same ones."""
    name = draw.choice(list(READERS))
    format_, reader = READERS[name]
    kind, charset = draw.choice(KINDS), draw.choice(["", *CHARSETS, draw.text(12)])
    body = draw.body(MARKUP if format_ in ("xml", "html", "csv", "tsv") else JSON)
    said = f"{kind}; charset={charset}" if charset else kind
    decoded = _outcome(lambda: reader.read(Response(200, URL, {"content-type": said}, body)))
    if decoded is None:
        return
    for document in decoded.documents:
        assert _tree(document) is not NOTHING, f"{document!r} is not JSON"
    json.dumps(dict(decoded.members)).encode()
    if format_ == "ndjson":
        assert len(decoded.documents) <= body.count(b"\n") + 1
    if format_ in ("csv", "tsv"):
        _check_rows(decoded)
    if charset == "utf-8":
        _check_charsets(draw, reader, kind, body, decoded)


def _check_rows(decoded: Decoded) -> None:
    rows = [json.loads(document) for document in decoded.documents]
    assert all(list(row) == list(rows[0]) and len(row) <= MOST_COLUMNS for row in rows), "rows of other columns"
    assert all(isinstance(value, str) for row in rows for value in row.values()), "a value is no string"


def _check_charsets(draw: Draw, reader: Reader, kind: str, body: bytes, decoded: Decoded) -> None:
    charset = draw.choice(CHARSETS[1:6])
    try:
        other = str(body, "utf-8").encode(charset)
    except UnicodeError:
        return
    again = _outcome(lambda: reader.read(Response(200, URL, {"content-type": f"{kind}; charset={charset}"}, other)))
    assert again == decoded, f"the same in {charset} is {again}"
