"""What a crawl file may say, what it is told when it is wrong, and which two crawls are one."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pagefleet.crawl import Crawl
from pagefleet.crawlfile import load, parse
from pagefleet.errors import CrawlError
from pagefleet.limits import Limits, parse_rate
from pagefleet.paginators import Offset, Single

LEAST: Mapping[str, Any] = {"url": "https://api.example.org/a", "paginate": {"kind": "none"}}

# The same in TOML and in JSON

TOML = r"""
name = "orders"
url = "https://api.example.org/orders?sort=id"
method = "POST"
params = { status = ["open", "paid"], size = 100, ratio = 0.5, deep = true, key = "env:API_KEY" }
headers = { Accept = "application/json", Authorization = "Bearer file:/run/secrets/token" }
documents = "data['the items']"
key = "id"
total = "meta.total"
rate = "600/min"
origins = ["https://cdn.example.net"]

[body]
query = "é\n{ a }"

[paginate]
kind = "cursor"
next = "meta.next"
param = "after"
more = "meta.more"

[limits]
backlog = 5
body = "512KiB"
seconds = 2.5
attempts = 3
"""
JSON: Mapping[str, Any] = {
    "name": "orders",
    "url": "https://api.example.org/orders?sort=id",
    "method": "POST",
    "params": {"status": ["open", "paid"], "size": 100, "ratio": 0.5, "deep": True, "key": "env:API_KEY"},
    "headers": {"Accept": "application/json", "Authorization": "Bearer file:/run/secrets/token"},
    "documents": "data['the items']",
    "key": "id",
    "total": "meta.total",
    "rate": "600/min",
    "origins": ["https://cdn.example.net"],
    "body": {"query": "é\n{ a }"},
    "paginate": {"kind": "cursor", "next": "meta.next", "param": "after", "more": "meta.more"},
    "limits": {"backlog": 5, "body": 524288, "seconds": 2.5, "attempts": 3},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "orders.toml").write_text(TOML, encoding="utf-8")
    (tmp_path / "orders.json").write_text(json.dumps(JSON, ensure_ascii=False), encoding="utf-8")
    return tmp_path


def test_toml_and_json_say_the_same(folder: Path) -> None:
    from_toml, from_json = load(folder / "orders.toml"), load(str(folder / "orders.json"))
    assert from_toml == from_json
    assert from_toml.fingerprint == from_json.fingerprint
    assert from_toml.id == "orders"
    assert from_toml.limits == Limits(backlog=5, body=512 * 1024, seconds=2.5, attempts=3)


def test_what_is_asked_first(folder: Path) -> None:
    first = load(folder / "orders.toml").first()
    query = "sort=id&status=open&status=paid&size=100&ratio=0.5&deep=true"
    assert (first.method, first.url) == ("POST", f"https://api.example.org/orders?{query}")
    assert first.headers == {**JSON["headers"], "content-type": "application/json"}
    assert json.loads(first.body or b"") == JSON["body"]


def test_a_body_of_text_is_sent_as_it_is() -> None:
    first = parse({**LEAST, "method": "POST", "body": "a=é", "headers": {"Content-Type": "text/plain"}}).first()
    assert (first.body, first.headers) == ("a=é".encode(), {"Content-Type": "text/plain"})


def test_a_content_type_is_said_once() -> None:
    """However it is written: two headers of that name are joined, to one that nobody knows (seen with moto)."""
    said = {**LEAST, "method": "POST", "body": {"a": 1}, "headers": {"Content-Type": "application/x-amz-json-1.0"}}
    assert parse(said).first().headers == said["headers"]


def test_through_redis_and_back(folder: Path) -> None:
    crawl = load(folder / "orders.json")
    again = Crawl.model_validate_json(crawl.model_dump_json(by_alias=True, exclude_defaults=True))
    assert again == crawl
    assert again.fingerprint == crawl.fingerprint


def test_the_least_that_can_be_said() -> None:
    assert parse(LEAST) == Crawl(url="https://api.example.org/a", paginate=Single())


# Mistakes

KIND_NAMES = ["continue", "cursor", "keyset", "link_header", "link_object", "next_url", "none", "offset", "page"]

FIELDS = "the fields are documents, format, namespaces, original, key, total, error, kind, name, url, method, params"
KINDS = "write a table whose kind is one of continue, cursor, keyset, link_header, link_object, next_url, none, offset"
OFFSET: Mapping[str, Any] = {"kind": "offset"}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"url": None}, ["url is None: it must be a valid string"]),
        ({"url": "api.example.org"}, ["url is 'api.example.org': write a whole URL, such as https://"]),
        ({"url": "ftp://example.org"}, ["url is 'ftp://example.org': write a whole URL"]),
        ({"url": "https://"}, ["url is 'https://': write a whole URL"]),
        ({"url": "https://a:b/"}, ["url is 'https://a:b/': not a URL: Invalid port"]),
        ({"url": "https://me:hunter2@a.example"}, ["url is 'https://…@a.example': leave the user and password out"]),
        ({"name": "a b"}, ["name is 'a b': use 1 to 100 letters, digits, dots, dashes or underscores"]),
        ({"name": "a:b"}, ["name is 'a:b': use 1 to 100"]),
        ({"name": ""}, ["name is '': use 1 to 100"]),
        ({"name": "-a"}, ["name is '-a': use 1 to 100"]),
        ({"method": "PUT"}, ["method is 'PUT': it must be 'GET' or 'POST'"]),
        ({"kind": "python"}, ["kind is 'python': it must be 'crawl'"]),
        ({"params": {"page": {"a": 1}}}, ["params.page is {'a': 1}: it must be a valid string or a valid integer"]),
        ({"params": []}, ["params is []: it must be a valid dictionary"]),
        ({"headers": {"offset": 3}}, ["headers.offset is 3: it must be a valid string"]),
        ({"headers": {"a b": "c"}}, ["headers.a b is 'a b': write a header's name with letters, digits and dashes"]),
        (
            {"headers": {"Transfer-Encoding": "chunked"}},
            ["headers.Transfer-Encoding is 'Transfer-Encoding': it is ours to say"],
        ),
        (
            {"paginate": {"kind": "cursor", "param": "header:te"}, "documents": "b"},
            ["paginate.param is 'header:te': it is ours to say"],
        ),
        ({"headers": {"a\r\nb": "c"}}, ["headers.'a\\r\\nb' is 'a\\r\\nb': write a header's name"]),
        ({"body": 3}, ["body is 3: it must be a valid dictionary or a valid list or a valid string"]),
        ({"documents": "a["}, ["the crawl: documents: 'a[' is not a path: write member names with dots, $['a name']"]),
        ({"key": "$"}, ["key is '$': '$' is the whole body: name a member of it"]),
        ({"total": ""}, ["total is '': write a path in the body, header:Name or last:member"]),
        ({"total": "header:a b"}, ["total is 'header:a b': 'header:a b' names no header"]),
        ({"total": "last:$"}, ["total is 'last:$': 'last:$' names no member of a document"]),
        ({"documents": ".", "error": "a["}, ["the crawl: error: 'a[' is not a path"]),
        ({"format": "xml", "documents": "//a["}, ["the crawl: documents: '//a[' is not an XPath"]),
        ({"format": "xml", "documents": "//x:a"}, ["the crawl: documents: '//x:a' is not an XPath (Undefined"]),
        ({"format": "html", "documents": "a["}, ["the crawl: documents: 'a[' is not a CSS selector"]),
        ({"format": "html", "documents": "a", "total": "b::c"}, ["the crawl: total: 'b::c': behind :: comes text or"]),
        ({"format": "yaml"}, ["format is 'yaml': it must be 'auto', 'json', 'ndjson', 'csv', 'tsv', 'xml' or 'html'"]),
        ({"cap": 0}, ["cap is 0: it must be greater than 0"]),
        (
            {"each": {"url": "/a", "each": {"url": "/b", "params": {"api_key": "x"}}}},
            ["the crawl: the secret api_key in each.params would be stored with the crawl"],
        ),
        ({"each": {"url": "/a", "keey": 1}}, ["each.keey is 1: there is no such field; did you mean key?"]),
        ({"each": {"url": "/a", "paginate": "x"}}, [f"each.paginate is 'x': {KINDS}"]),
        (
            {"each": {"url": "/a", "paginate": {**OFFSET, "strat": 1}}},
            ["each.paginate.strat is 1: there is no such field; did you mean start?"],
        ),
        (
            {"paginate": {"kind": "cursor", "then": {"boddy": 1}}, "documents": "d"},
            ["paginate.then.boddy is 1: there is no such field; did you mean body?"],
        ),
        ({"each": {"url": "/a/{b[}"}}, ["each is {'url': '/a/{b[}'}: 'b[' is not a path"]),
        ({"each": {"url": "/a", "include": {"a": "$"}}}, ["each.include.a is '$': '$' is the whole body"]),
        ({"total": "a"}, ["the crawl: documents='$' makes the body an array, which has no 'a': name the member that"]),
        (
            {"total": "a", "documents": "a"},
            ["the crawl: 'a' and a part of it, or documents in it, cannot be asked for"],
        ),
        ({"rate": "10"}, ["rate is '10': write requests per interval, such as 10/s, 30/min, 1000/h or 5000/d"]),
        ({"rate": "0/s"}, ["rate is '0/s': write requests per interval"]),
        ({"rate": "-1/s"}, ["rate is '-1/s': write requests per interval"]),
        ({"rate": "10/m"}, ["rate is '10/m': write requests per interval"]),
        ({"rate": 10}, ["rate is 10: it must be a valid string"]),
        ({"origins": ["https://a.example", "b"]}, ["origins.1 is 'b': write a whole URL"]),
        ({"limits": {"attempts": 0}}, ["limits.attempts is 0: it must be greater than 0"]),
        (
            {"limits": {"body": "64 MB"}},
            ["limits.body is '64 MB': write a number of bytes, or one with a unit such as"],
        ),
        ({"limits": {"seconds": "x"}}, ["limits.seconds is 'x': it must be a valid number"]),
        ({"limits": {"boddy": 1}}, ["limits.boddy is 1: there is no such field; did you mean body?"]),
        (
            {"limits": {"zzz": 1}},
            ["limits.zzz is 1: there is no such field; the fields are backlog, body, ratio, documents,"],
        ),
        ({"ratte": "1/s"}, ["ratte is '1/s': there is no such field; did you mean rate?"]),
        ({"zzz": "1/s"}, [f"zzz is '1/s': there is no such field; {FIELDS}"]),
        ({"paginate": None}, [f"paginate is None: {KINDS}"]),
        ({"paginate": "offset"}, [f"paginate is 'offset': {KINDS}"]),
        ({"paginate": {}}, [f"paginate is {{}}: {KINDS}"]),
        ({"paginate": {"kind": "ofset"}}, [f"paginate is {{'kind': 'ofset'}}: {KINDS}"]),
        ({"paginate": {**OFFSET, "strat": 1}}, ["paginate.strat is 1: there is no such field; did you mean start?"]),
        (
            {"paginate": {**OFFSET, "offset": 1}},
            ["paginate.offset is 1: there is no such field; the fields are more, done, past_end, param"],
        ),
        ({"paginate": {**OFFSET, "start": "x"}}, ["paginate.start is 'x': it must be a valid integer"]),
        ({"paginate": {**OFFSET, "limit": 0, "limit_param": "n"}}, ["paginate.limit is 0: it must be greater than 0"]),
        (
            {"paginate": {**OFFSET, "limit": 9}},
            ["paginate is {'kind': 'offset', 'limit': 9}: limit_param and limit go together"],
        ),
        (
            {"paginate": {"kind": "page", "size_param": "n"}},
            ["paginate is {'kind': 'page', 'size_param': 'n'}: size_param and size go together: the parameter's"],
        ),
        (
            {"paginate": {"kind": "cursor", "more": "a["}, "documents": "b"},
            ["the crawl: paginate.more: 'a[' is not a path"],
        ),
        (
            {"paginate": {"kind": "next_url", "next": "$"}, "documents": "b"},
            ["the crawl: paginate.next: '$' is the whole body"],
        ),
        ({"paginate": {**OFFSET, "past_end": ["40x"]}}, ["paginate.past_end.0 is '40x': write a status, and text"]),
        (
            {"paginate": {"kind": "keyset", "param": "a", "tie": "b"}},
            ["paginate is {'kind': 'keyset', 'param': 'a', 'tie': 'b'}: tie and tie_param go together"],
        ),
        (
            {"paginate": {"kind": "keyset", "param": "a", "inclusive": True, "limit": 1, "limit_param": "n"}},
            ["paginate is {'kind': 'keyset', 'param': 'a', 'inclusive': True, 'limit': 1, 'limit_param':"],
        ),
        (
            {"paginate": {"kind": "cursor", "param": "a", "carry": {"a": "b"}}, "documents": "b"},
            ["paginate is {'kind': 'cursor', 'param': 'a', 'carry': {'a': 'b'}}: carry puts something else where the"],
        ),
        (
            {"paginate": {"kind": "cursor", "expires": 60}, "documents": "b", "rate": "1/min"},
            ["the crawl: rate = '1/min' leaves 60 s between two pages, and a cursor lives for 60 s"],
        ),
        (
            {"paginate": {"kind": "cursor", "then": {"params": {"api_key": "x"}}}, "documents": "b"},
            ["the crawl: the secret api_key in paginate.then.params would be stored"],
        ),
        (
            {"documents": "b", "slices": {"by": "values", "param": "x", "values": [1], "page": 5, "pages": 0}},
            ["slices.pages is 0: ", "slices.page is 5: there is no such field; did you mean pages?"],
        ),
        ({"rate": "x", "key": "$"}, ["key is '$': '$' is", "rate is 'x': write"]),
    ],
)
def test_mistakes(said: Mapping[str, Any], expected: list[str]) -> None:
    with pytest.raises(CrawlError) as error:
        parse({**LEAST, **said}, "the crawl file a.toml")
    first, *told = str(error.value).splitlines()
    assert first == "reading the crawl file a.toml:"
    assert [line[: 2 + len(one)] for line, one in zip(told, expected, strict=True)] == [f"  {one}" for one in expected]


@pytest.mark.parametrize("said", [None, 3, "x", [], [1], True])
def test_what_is_no_table_at_all(said: object) -> None:
    with pytest.raises(CrawlError, match=r"the crawl is .*: it must be a valid dictionary"):
        parse(said)


def test_what_is_missing() -> None:
    kinds = ", ".join(f'"{kind}"' for kind in KIND_NAMES)
    with pytest.raises(CrawlError) as error:
        parse({})
    assert str(error.value).splitlines() == [
        "reading the crawl:",
        '  url is missing: add url = "https://..."',
        f"  paginate is missing: add [paginate] with kind = {kinds}",
    ]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("no.toml", None, "No such file or directory; "),
        ("a.toml", "url = ", "a.toml as TOML: Invalid value (at end of document)"),
        ("a.toml", '{"url": "x"}', "a.toml as TOML: "),
        ("a.json", "url = 'x'", "a.json as JSON: Expecting value"),
        ("a.json", "", "a.json as JSON: Expecting value"),
        (
            "a.json",
            '{"body": {"a": "b\\ud83d"}}',
            r"""half a character, at the end of '{"body": {"a": "b\ud83d'; write a whole one""",
        ),
        ("a.json", "9" * 5000, "a.json as JSON: Exceeds the limit"),
        ("a.json", "[" * 200_000, "a.json as JSON: maximum recursion depth exceeded"),
        ("a.toml", f"a = {'9' * 5000}", "a.toml as TOML: Exceeds the limit"),
        ("a.toml", f"a = {'[' * 5000}", "a.toml as TOML: "),
        (
            "a.toml",
            f"{'a.' * 2000}a = 1",
            "a.toml:\n  the crawl is nested too deep; at most 64 tables and arrays may be",
        ),
        ("a.toml", f"body.{'a.' * 300}a = 1", "a.toml:\n  the crawl is nested too deep"),
        ("a.toml", "\udcff", "it is not text (byte 0 is 0xff)"),
        ("a.toml", "[paginate]\nkind = 'none'", "a.toml:\n  url is missing"),
    ],
)
def test_files_that_are_none(tmp_path: Path, name: str, text: str | None, expected: str) -> None:
    if text is not None:
        (tmp_path / name).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(CrawlError) as error:
        load(tmp_path / name)
    assert str(error.value).startswith(f"reading the crawl file {tmp_path / name}")
    assert expected in str(error.value)


TEXT = st.text(st.characters(), max_size=5) | st.text("\ud83d\n", max_size=2)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.sampled_from(sorted(Crawl.model_fields)) | TEXT, below, max_size=3)
    ),
)


@given(st.dictionaries(st.sampled_from([*Crawl.model_fields, "x"]) | TEXT, json_values) | json_values)
def test_anything_is_a_crawl_or_told_why_not(said: Any) -> None:
    try:
        parse({**LEAST, **said} if isinstance(said, dict) else said)
    except CrawlError as error:
        assert str(error).startswith("reading the crawl:\n  ")  # noqa: PT017  # either outcome is right
        assert str(error).replace("\n", "").isprintable()  # noqa: PT017


# Rates


@pytest.mark.parametrize(("rate", "seconds"), [("10/s", 0.1), ("30/min", 2.0), ("1000/h", 3.6), ("0.5/d", 172_800.0)])
def test_rates(rate: str, seconds: float) -> None:
    assert parse_rate(rate) == pytest.approx(seconds)


# Which crawls are one

ANOTHER: Mapping[str, Any] = {
    "url": "https://api.example.org/b",
    "method": "POST",
    "params": {"a": 1},
    "headers": {"Accept": "a/b"},
    "body": "x",
    "documents": "data",
    "format": "xml",
    "namespaces": {"a": "b"},
    "original": True,
    "error": "error",
    "each": {"url": "/{id}"},
    "cap": 10_000,
    "slices": {"by": "values", "param": "kind", "values": ["a", "b"]},
    "key": "id",
    "paginate": {"kind": "link_header"},
    "total": "total",
    "rate": "1/s",
    "origins": ["https://b.example"],
    "limits": {"attempts": 4},
}


@pytest.mark.parametrize("field", ANOTHER)
def test_whatever_is_said_otherwise_makes_another_crawl(field: str) -> None:
    more = {"documents": "rows"} if field in ("total", "error", "format") else {}
    one, other = parse({**LEAST, **more}), parse({**LEAST, **more, field: ANOTHER[field]})
    assert one.fingerprint != other.fingerprint
    assert one.id != other.id


def test_all_fields_are_tried() -> None:
    assert set(ANOTHER) == set(Crawl.model_fields) - {"kind", "name"}


def test_kinds_with_nothing_but_defaults_are_told_apart() -> None:
    needed = {"keyset": {"param": "since"}}
    kinds = [{"kind": kind, **needed.get(kind, {})} for kind in KIND_NAMES]
    prints = {parse({**LEAST, "documents": "d", "paginate": kind}).fingerprint for kind in kinds}
    assert len(prints) == len(kinds)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"params": {"a": 1}}, {"params": {"a": "1"}}),
        ({"params": {"a": 1}}, {"params": {"a": True}}),
        ({"params": {"a": [1, 2]}}, {"params": {"a": [2, 1]}}),
        ({"body": "{}"}, {"body": {}}),
        ({"paginate": {"kind": "offset", "start": 1}}, {"paginate": {"kind": "page", "start": 1}}),
    ],
)
def test_small_differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    assert parse({**LEAST, **one}).fingerprint != parse({**LEAST, **other}).fingerprint


@pytest.mark.parametrize(
    "said",
    [
        {"name": "a"},
        {"method": "GET", "documents": "$", "params": {}, "origins": []},
        {"limits": {"attempts": 5}},
        {"limits": {"body": "64MiB"}},
    ],
)
def test_a_name_and_a_default_make_no_other_crawl(said: Mapping[str, Any]) -> None:
    """So that a new release with a new default keeps old names working."""
    assert parse({**LEAST, **said}).fingerprint == parse(LEAST).fingerprint


def test_the_order_of_members_makes_no_other_crawl() -> None:
    one, other = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    assert parse({**LEAST, "params": one}).fingerprint == parse({**LEAST, "params": other}).fingerprint


@pytest.mark.parametrize(
    ("url", "start"),
    [
        ("https://api.example.org/a", "api.example.org-"),
        ("http://[::1]:8000/", "--1-"),
        ("http://127.0.0.1:1/", "127.0.0.1-"),
        ("https://bücher.example/", "bücher.example-"),
    ],
)
def test_ids(url: str, start: str) -> None:
    """They stand in keys, where a colon parts the crawl from the slice."""
    found = parse({**LEAST, "url": url}).id
    assert found.startswith(start)
    assert len(found) == len(start) + 8
    assert not set(found) & set(":{} ")


def test_crawls_are_values() -> None:
    one = parse({**LEAST, "paginate": {"kind": "offset"}})
    assert one == Crawl(url=LEAST["url"], paginate=Offset())
    assert one.fingerprint == Crawl(url=LEAST["url"], paginate=Offset()).fingerprint
    with pytest.raises(ValidationError, match="frozen"):
        one.url = "https://b.example"


# Secrets


CURSOR = {"kind": "cursor", "next": "header:Next"}


@pytest.mark.invariant("S-8")
@pytest.mark.parametrize(
    ("said", "place", "remedy"),
    [
        (
            {"headers": {"Authorization": "Bearer hunter2"}},
            "headers",
            "headers.Authorization = 'env:NAME' (or 'Bearer env:",
        ),
        ({"headers": {"AUTHORIZATION": "hunter2 env:"}}, "headers", "headers.AUTHORIZATION ="),
        ({"headers": {"cookie": "session=hunter2"}}, "headers", "headers.cookie ="),
        ({"headers": {"X-API-Key": "hunter2"}}, "headers", "headers.X-API-Key ="),
        ({"headers": {"Private-Token": "hunter2"}}, "headers", "headers.Private-Token ="),
        ({"params": {"api_key": "hunter2"}}, "params", "params.api_key = 'env:NAME'"),
        ({"params": {"access_token": ["hunter2"]}}, "params", "params.access_token ="),
        ({"params": {"client_secret": "Bearer env:hunter2"}}, "params", "params.client_secret ="),
        ({"params": {"q": ["env:hunter2"]}}, "params", "params.q ="),
        ({"url": "https://api.example.org/a?apikey=hunter2"}, "url", "params.apikey ="),
        ({"url": "https://api.example.org/a?q=env:hunter2"}, "url", "params.q ="),
        (
            {"body": {"auth": {"client_secret": "hunter2"}}},
            "body",
            "client_secret = 'env:NAME' in a body that is a table",
        ),
        (
            {"body": {"a": [{"q": "env:hunter2"}]}},
            "body",
            "q = 'env:NAME' in a body that is a table, and there in no list",
        ),
        ({"body": ["env:hunter2"]}, "body", "value = 'env:NAME' in a body"),
        ({"body": '{"a": {"q": "env:hunter2"}}'}, "body", "q ="),
        ({"body": "a=b&api_key=hunter2"}, "body", "api_key ="),
        ({"body": "q=env%3Ahunter2"}, "body", "q ="),
        ({"each": {"url": "/a", "body": {"password": "hunter2"}}}, "each.body", "password ="),
        ({"each": {"url": "/a", "body": {"q": "env:hunter2{id}"}}}, "each.body", "q ="),
        ({"paginate": {**CURSOR, "then": {"body": {"api-key": "hunter2"}}}}, "paginate.then.body", "api-key ="),
    ],
)
def test_a_secret_in_clear_text_is_refused_and_not_repeated(said: Mapping[str, Any], place: str, remedy: str) -> None:
    with pytest.raises(CrawlError) as error:
        parse({**LEAST, **said})
    assert f"in {place} would be stored with the crawl and sent as it is written; put it into the workers'" in str(
        error.value
    )
    assert remedy in str(error.value)
    cause: BaseException | None = error.value
    while cause:
        assert "hunter2" not in f"{cause} {cause!r}"
        cause = cause.__cause__


@pytest.mark.parametrize(
    "said",
    [
        {"headers": {"Authorization": "env:TOKEN"}},
        {"headers": {"Authorization": "Bearer env:TOKEN"}},
        {"headers": {"authorization": "Bearer file:/run/secrets/token"}},
        {"headers": {"Accept": "application/json", "X-Author": "me"}},
        {"params": {"api_key": "env:KEY"}},
        {"params": {"page_token": "x", "q": "service:web env:production", "key": "x"}},
        {"body": {"client_secret": "env:KEY", "a": {"q": "file:/KEY", "password": ""}, "key": ["x", 1, None]}},
        {"body": {"query": "{ cookies(password: 1) { id } } env:prod", "cookie": 5}},
        {"body": "query password=1 { env:prod }"},
        {"each": {"url": "/a", "body": {"api_key": "env:KEY", "q": "{id}"}}},
    ],
)
def test_names_of_secrets_and_what_is_none(said: Mapping[str, Any]) -> None:
    crawl = parse({**LEAST, **said})
    assert crawl.secret_params == ({"api_key": "env:KEY"} if "api_key" in crawl.params else {})
    assert "KEY" not in crawl.first().url + str(crawl.first().body)
