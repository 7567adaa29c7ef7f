"""An error quotes so much of a response that one knows what it was, and no more: it is stored, logged and shown."""

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest

from pagefleet import Client, Crawl, Page, documents, source
from pagefleet.errors import Stop
from tests.api import Api, say

MOST = 200
"""Bytes of a response."""
LONG = "Z" * 1500
NEXT_URL = {"kind": "next_url"}


@source
async def raising(client: Client, cursor: None, url: str) -> AsyncGenerator[Page]:
    if text := (await client.get(url)).body.decode():
        raise ValueError(text)
    yield Page([])


def crawl(server: Api, body: str, status: int = 200, says: Mapping[str, str] | None = None, **more: Any) -> Crawl:
    """A crawl of this one answer, whatever it is asked for."""
    said = {"documents": "data", "paginate": {"kind": "cursor"}, "limits": {"attempts": 1}, **more}
    return Crawl.model_validate({"url": say(server.url, body, status=status, headers=says), **said})


KEYSET = {"kind": "keyset", "field": "id", "param": "since"}
XML = {"documents": "//r", "format": "xml"}
CSV = {"documents": "$", "format": "csv"}


RESPONSES: list[tuple[str, dict[str, Any], str]] = [
    (LONG, {"status": 404}, "the server answered 404 'ZZ"),
    (json.dumps({"error": LONG}), {"status": 400}, "the server answered 400 '{"),
    (LONG, {"status": 500}, "the server answered 500"),
    (LONG, {}, "not JSON"),
    (f"<html>{LONG}</html>", {}, "not JSON"),
    (f'{{"data": [1], "x": "{LONG}', {}, "not JSON (Input data was truncated)"),
    (json.dumps({LONG: 1, f"{LONG}2": 2}), {}, "no 'data' in the page: an object with the members 'ZZ"),
    (json.dumps({"data": LONG}), {}, "documents='data' is the str 'ZZ"),
    (json.dumps({"data": [1], "error": LONG}), {"error": "error"}, "the server answered 200, but error = 'ZZ"),
    (json.dumps({"data": [1], "next_cursor": [LONG]}), {}, "holds no cursor but ['ZZ"),
    (json.dumps({"data": [1], "next_cursor": LONG}), {}, "so the server ignores the cursor 'ZZ"),
    (json.dumps({"data": [1], "next": [LONG]}), {"paginate": NEXT_URL}, "holds no URL but ['ZZ"),
    (json.dumps({"data": [1], "next": f"http://a:b/{LONG}"}), {"paginate": NEXT_URL}, "ZZ…', which is no URL"),
    (json.dumps({"data": [1], "next": f"http://127.0.0.2/{LONG}"}), {"paginate": NEXT_URL}, "ZZ…: the next page is"),
    (f"1\n{LONG}\n", {"documents": "$", "format": "ndjson"}, "line 2 of the page is not JSON"),
    (json.dumps({"data": [1], "next": f"http://{LONG}/"}), {"paginate": NEXT_URL}, "on another origin than"),
    (json.dumps({"data": [1], "next": f"/{LONG}"}), {"paginate": NEXT_URL}, "404"),
    (json.dumps({"data": [{"id": LONG}]}), {"paginate": KEYSET}, "two pages end at 'id' = 'ZZ"),
    (json.dumps({"data": [{"id": [LONG]}]}), {"paginate": KEYSET}, "has no 'id' to go on from but ['ZZ"),
    (
        json.dumps({"data": [{"id": LONG}] * 2}),
        {"paginate": {**KEYSET, "inclusive": True}},
        "a whole page, have the same 'id', 'ZZ",
    ),
    (f"<r>{LONG}", XML, "not XML"),
    (f"<{LONG}><b></{LONG}>", XML, "not XML"),
    (f"<r>&{LONG};</r>", XML, "not XML"),
    (f"{LONG},{LONG}\n", CSV, "names a column twice"),
    ("1", {"says": {"content-type": f"{LONG}/{LONG}"}}, "…): no 'data' in the page"),
    ("[1]", {"documents": ".", "says": {"content-type": f"a/b; charset={LONG}"}}, "no character set that is known"),
    ("[1]", {"documents": ".", "says": {"content-encoding": f"gzip, br, {LONG}"}}, "compressed more than once"),
    ("", {"status": 302, "says": {"location": f"http://{LONG}/"}}, "on another origin than"),
    (json.dumps({"data": [{"id": LONG}]}), {"each": {"url": "{id}://a/"}}, "origin"),
    (json.dumps({"data": [{"id": f"password{LONG}"}]}), {"each": {"url": "/?{id}=a"}}, "in url would be stored"),
    (json.dumps({"data": [{"a": LONG}]}), {"each": {"url": "http://127.0.0.1:9/{id}"}}, "it has no 'id' for"),
]


@pytest.mark.invariant("S-15")
@pytest.mark.parametrize("long", [LONG, "😀" * 400], ids=["Z", "emoji"])
@pytest.mark.parametrize(("body", "more", "said"), RESPONSES, ids=[said for _, _, said in RESPONSES])
def test_an_error_quotes_little_of_a_response(
    server: Api, body: str, more: dict[str, Any], said: str, long: str
) -> None:
    with pytest.raises(Stop) as stop:
        list(documents(crawl(server, body.replace(LONG, long), **more)))
    assert said in str(stop.value) or long != LONG
    assert quoted(str(stop.value)) <= MOST


def quoted(text: str) -> int:
    """Bytes of it that are a response's."""
    return text.count("Z") + 4 * text.count("😀")


@pytest.mark.invariant("S-15")
def test_an_error_quotes_little_of_what_a_source_in_python_raises(server: Api) -> None:
    with pytest.raises(Stop, match="raised ValueError: ZZ") as stop:
        list(documents(raising(url=say(server.url, LONG))))
    assert quoted(str(stop.value)) <= MOST
