"""The decoder: documents are the server's own bytes, members are right, and nothing but `Stop` ever comes out."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pagefleet.decode import Decoder, keys_of, member
from pagefleet.errors import Stop
from pagefleet.paths import parse_path

# JSON as servers write it: text and what it means, drawn together


spaces = st.text(" \t\r\n", max_size=3)
characters = st.characters(min_codepoint=0x20, exclude_categories=["Cs"], exclude_characters='"\\')
escapes = st.sampled_from(
    [r"\"", r"\\", r"\/", r"\n", r"\u00e9", r"\u0000", r"\ud83d\ude00", r"\uD83D", r"\udc00", r"\\ud83d"]
)
strings = st.lists(characters | escapes, max_size=6).map(lambda parts: f'"{"".join(parts)}"')
numbers = st.from_regex(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
scalars = strings | numbers | st.sampled_from(["true", "false", "null", "1.0", "1e400", "-0", "12345678901234567890"])
names = st.text("abcdef-_ é", min_size=1, max_size=4)


@st.composite
def arrays(draw: st.DrawFn, elements: st.SearchStrategy[str]) -> str:
    space = draw(spaces)
    return f"[{space}{f'{space},{draw(spaces)}'.join(draw(st.lists(elements, max_size=4)))}{draw(spaces)}]"


@st.composite
def objects(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    """Duplicate keys included."""
    space = draw(spaces)
    pairs = draw(st.lists(st.tuples(names.map(quoted) | strings, values), max_size=4))
    return f"{{{space}{','.join(f'{space}{name}{space}:{space}{value}{space}' for name, value in pairs)}}}"


values = st.recursive(scalars, lambda below: arrays(below) | objects(below), max_leaves=12)


def quoted(name: str) -> str:
    return json.dumps(name, ensure_ascii=False)


@dataclass(frozen=True)
class Body:
    """A page, and where its parts are."""

    text: str
    path: Sequence[str]
    documents: Sequence[str]
    member: Sequence[str]
    value: str


@st.composite
def bodies(draw: st.DrawFn) -> Body:
    """Documents at one random path, a member at another, and anything else around them, in any order."""
    trunk = draw(st.lists(names, max_size=2))
    fork = draw(st.lists(names, min_size=2, max_size=2, unique=True))
    below = draw(st.lists(names, max_size=2)), draw(st.lists(names, max_size=2))
    documents, value = draw(st.lists(values, max_size=5)), draw(values)
    space = draw(spaces)
    array = f"[{space}{f'{space},'.join(documents)}{space}]"
    branches = [nested(draw, [fork[0], *below[0]], array), nested(draw, [fork[1], *below[1]], value)]
    text = nested(draw, trunk, "{" + ",".join(draw(st.permutations(branches))) + "}", is_whole=True)
    return Body(space + text + space, [*trunk, fork[0], *below[0]], documents, [*trunk, fork[1], *below[1]], value)


def nested(draw: st.DrawFn, path: Sequence[str], inner: str, *, is_whole: bool = False) -> str:
    """`"a": {"b": <inner>}` for the path a, b, with other members beside the inner ones; in braces if it is whole."""
    for depth, name in reversed(list(enumerate(path))):
        inner = f"{quoted(name)}{draw(spaces)}:{inner}"
        if depth or is_whole:
            others = [f"{quoted(other)}:{draw(values)}" for other in draw(st.lists(names, max_size=2)) if other != name]
            inner = "{" + ",".join(draw(st.permutations([inner, *others]))) + "}"
    return inner


def written(path: Sequence[str]) -> str:
    return "$" + "".join(f"['{name}']" for name in path)


# Slices and members


@given(bodies())
def test_documents_are_the_servers_bytes(body: Body) -> None:
    decoded = Decoder(written(body.path), [written(body.member)]).decode(body.text.encode())
    assert decoded.documents == [document.encode() for document in body.documents]


@given(bodies())
def test_members_are_what_they_say(body: Body) -> None:
    """A number that floats cannot hold stays as it is written: it may be a cursor."""
    decoded = Decoder(written(body.path), [written(body.member), "nobody"]).decode(body.text.encode())
    value = json.loads(
        body.value, parse_float=lambda digits: number if repr(number := float(digits)) == digits else digits
    )
    assert decoded.members == {written(body.member): value}


@given(arrays(values))
def test_a_body_that_is_the_array(text: str) -> None:
    documents = Decoder("$").decode(text.encode()).documents
    assert json.loads(b"[" + b",".join(documents) + b"]", parse_float=str) == json.loads(text, parse_float=str)
    assert all(document in text.encode() for document in documents)


@pytest.mark.parametrize(
    "text",
    [
        '"\\ud83d"',
        '{"t": "\\uD83D cut", "u": "\\udc00\\ud800"}',
        '{"t": "\\\\ud83d"}',
        '["\\ud83d\\ude00", "\\ud83d"]',
        "9" * 5000,
        "1e400",
        '{"a": 1, "a": 2}',
    ],
)
def test_documents_that_trip_decoders(text: str) -> None:
    assert Decoder("d").decode(f'{{"d": [{text}]}}'.encode()).documents == [text.encode()]


def test_half_an_emoji_beside_its_stand_in_stops_rather_than_changes_it() -> None:
    with pytest.raises(Stop, match="the page is not JSON"):
        Decoder("d").decode(rb'{"d": ["\ud83d", "\ue83d"]}')
    assert Decoder("d").decode(rb'{"d": ["\ue83d"]}').documents == [rb'"\ue83d"']


def test_a_byte_order_mark_and_null_documents() -> None:
    assert Decoder("d").decode(b'\xef\xbb\xbf{"d": [1]}').documents == [b"1"]
    assert Decoder("d").decode(b'{"d": null}').documents == []


@pytest.mark.parametrize("meta", ["[]", "null", "3", '"x"', "true"])
def test_whatever_stands_where_members_should_be_leaves_them_out(meta: str) -> None:
    """PHP writes [] for an empty object."""
    decoded = Decoder("d", ["meta.next"]).decode(f'{{"d": [1], "meta": {meta}}}'.encode())
    assert decoded.documents == [b"1"]
    assert not decoded.members


# Whatever comes, only `Stop` comes out

PATHS = [("$", ()), ("a", ("b", "c.d")), ("a.b", ("a.c", "b")), ("d.e.f", ("d.g",))]


@pytest.mark.invariant("S-5")
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode), st.sampled_from(PATHS))
def test_any_bytes(body: bytes, paths: tuple[str, tuple[str, ...]]) -> None:
    decode_or_stop(body, *paths)


@pytest.mark.invariant("S-5")
@given(values, st.data(), st.sampled_from(PATHS))
def test_any_json_and_any_beginning_of_it(text: str, data: st.DataObject, paths: tuple[str, tuple[str, ...]]) -> None:
    body = text.encode()
    decode_or_stop(body, *paths)
    decode_or_stop(body[: data.draw(st.integers(0, len(body)))], *paths)


def decode_or_stop(body: bytes, documents: str, members: Sequence[str]) -> None:
    try:
        decoded = Decoder(documents, members).decode(body)
    except Stop as stop:
        assert re.match("the page|no '|documents=", str(stop))  # noqa: PT017  # either outcome is right
        str(stop).encode()  # it is stored, and printed
    else:
        assert all(isinstance(document, bytes) for document in decoded.documents)


@pytest.mark.invariant("S-5")
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "the page is not JSON (Input data was truncated): it starts with ''"),
        (b"<html>", "the page is not JSON (JSON is malformed: invalid character (byte 0)): it starts with '<html>'"),
        (b'{"items": [1}', "the page is not JSON"),
        (b"[", "the page is not JSON"),
        (b"\xff\xfe{\x00}\x00", "the page is not UTF-8: byte 0 is 0xff"),
        (b'{"items": []}', "no 'data' in the page: an object with the members 'items'; correct the crawl's documents="),
        (b"[]", "no 'data' in the page: an array of 0; correct the crawl's documents='data.items'"),
        (b"null", "no 'data' in the page: null"),
        (b'{"data": {}}', "no 'items' in data: an object with the members"),
        (b'{"data": 7}', "no 'items' in data: the int '7'"),
        (b'{"data": {"items": {"a": 1}}}', "documents='data.items' is an object with the members 'a', not an array"),
        (b'{"data": {"items": "x"}}', "documents='data.items' is the str 'x', not an array"),
        (b'{"data": {"items": 1e400}}', "documents='data.items' is the float 'inf', not an array"),
        (b'{"data": {"items": ' + b"9" * 5000 + b"}}", "documents='data.items' is the str '9999"),
        (b'{"data": ' + b"[" * 100_000, "the page is nested too deep to be read"),
        (b'{"other": ' + b"[" * 100_000, "the page is nested too deep to be read"),
    ],
)
def test_what_a_wrong_page_is_told(body: bytes, expected: str) -> None:
    with pytest.raises(Stop) as stop:
        Decoder("data.items", ["data.next"]).decode(body)
    assert expected in str(stop.value)


# Paths


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("$", ()),
        ("data", ("data",)),
        ("$.data", ("data",)),
        ("data.items", ("data", "items")),
        ("$['@odata.nextLink']", ("@odata.nextLink",)),
        ("['a b'].c[\"d'e\"]", ("a b", "c", "d'e")),
        ("$count", ("count",)),
        ("é.漢", ("é", "漢")),
        ("$['']", ("",)),
    ],
)
def test_paths(text: str, names: tuple[str, ...]) -> None:
    assert parse_path(text) == names


@given(st.lists(st.text().filter(lambda name: not re.search(r"""['"\\\0-\x1f]""", name))))
def test_any_name_can_be_written(path: list[str]) -> None:
    """But for those that have escapes in JSON, which are JSONPath's."""
    assert parse_path(written(path)) == tuple(path)


@given(st.text("$.[]'\"ab1* "))
def test_any_text_is_a_path_or_told_to_be_none(text: str) -> None:
    try:
        names = parse_path(text)
    except ValueError as error:
        assert str(error).startswith(f"{text!r} is not a path")  # noqa: PT017  # either outcome is right
    else:
        assert parse_path(written(names)) == names or "'" in "".join(names)


@pytest.mark.parametrize("text", ["a[0]", "a[*]", "a..b", "a.", "$.", "$..a", "a b", "['a]", "a]", "a['b'c']"])
def test_more_than_one_place_is_no_path(text: str) -> None:
    with pytest.raises(ValueError, match="is not a path: write member names with dots, or"):
        parse_path(text)


@pytest.mark.parametrize("text", ["a\\b", "['a\"b']", '["\\\\"]', "a\0", "['\n']", "\ud83d"])
def test_names_with_escapes_are_no_path(text: str) -> None:
    """msgspec would refuse them only when the first page is there."""
    with pytest.raises(ValueError, match="is not a path"):
        parse_path(text)


@pytest.mark.parametrize(
    ("documents", "members", "expected"),
    [
        ("$", ["next"], "makes the body an array, which has no 'next'"),
        ("data", ["$"], "'$' is the whole body"),
        ("data", ["data.next"], "cannot be asked for at once"),
        ("data.items", ["data"], "cannot be asked for at once"),
        ("data", ["meta", "meta.next"], "cannot be asked for at once"),
        ("data", ["meta.next", "meta"], "cannot be asked for at once"),
        ("data", ["data"], "cannot be asked for at once"),
    ],
)
def test_paths_that_are_in_each_others_way(documents: str, members: Sequence[str], expected: str) -> None:
    with pytest.raises(ValueError, match=re.escape(expected)):
        Decoder(documents, members)


def test_two_members_may_be_one() -> None:
    assert Decoder("d", ["a.b", "$.a.b"]).decode(b'{"d": [], "a": {"b": 1}}').members == {"a.b": 1, "$.a.b": 1}


# The key of a document


@given(bodies())
def test_a_member_of_a_document(body: Body) -> None:
    found, value = member(body.text.encode(), tuple(body.member)), json.loads(body.value)
    if value is None or isinstance(value, dict | list):
        assert found is None
    elif not isinstance(value, str):
        assert found == body.value
    else:
        assert found in (value, body.value)
    assert member(body.text.encode(), (*body.member, "nobody")) is None


@given(st.binary(max_size=40) | values.map(str.encode))
def test_a_member_of_anything(document: bytes) -> None:
    found = member(document, ("a",))
    assert (found or "").encode() is not None  # it is stored


@pytest.mark.parametrize(
    ("document", "key"),
    [
        ('{"id": "a\\u00e9"}', "aé"),
        ('{"id": 12345678901234567890.0}', "12345678901234567890.0"),
        ('{"id": true}', "true"),
        ('{"id": ""}', ""),
        ('{"id": null}', None),
        ('{"id": {}}', None),
        ('{"no": 1}', None),
        ("[]", None),
        ('{"id": "\\ud83d"}', '"\\ud83d"'),
        ('{"id": "\\ud83d\\ude00", "text": "\\ud83d"}', "😀"),
        ('{"id": 7, "text": ' + "[" * 100_000, None),
    ],
)
def test_keys(document: str, key: str | None) -> None:
    assert member(document.encode(), ("id",)) == key


@given(st.lists(values.map(str.encode) | st.binary(max_size=6), max_size=5))
@example([b'{"a": 1},{"a": 2}'])
@example([b'{"a": "\\ud83d"}', b'{"a": "x\\u00e9\\n"}', b'{"a": null}', b"3", b"", b'{"b": 1}'])
def test_keys_of_a_page_are_those_of_its_documents(documents: list[bytes]) -> None:
    for names in (("a",), ("a", "b")):
        assert keys_of(documents, names) == [member(document, names) or "" for document in documents]
