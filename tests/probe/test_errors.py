"""What is no collection at all is said in one clear line."""

import re
import socket
from collections.abc import Iterator

import pytest

from pagefleet.errors import CrawlError, Stop
from tests.api import Api, api, say
from tests.probe.outcome import probed

JSON, XML, HTML = ({"content-type": kind} for kind in ("application/json", "application/xml", "text/html"))


@pytest.fixture(name="api", scope="module")
def _api() -> Iterator[Api]:
    with api() as served:
        yield served


ANSWERS: list[tuple[int, str, dict[str, str], str]] = [
    (404, "no such thing", {}, "the server answered 404 'no such thing'; check the URL"),
    (401, "", {}, "the server answered 401 ''; give -H 'Authorization: Bearer env:TOKEN', or whatever the API wants"),
    (405, "", {}, "the server answered 405 ''; this API is asked by POST: write a crawl file with method = \"POST\" …"),
    (
        200,
        '{"id": 7, "name": "x"}',
        JSON,
        "there is no array of documents in it, only 'id', 'name'; give …",
    ),
    (200, "42", JSON, "there is no array of documents in it, only a single value; give the URL of a collection"),
    (200, '{"items": [1, 2', JSON, "the answer is not JSON, nor anything else that is known here (…): '…"),
    (200, "", JSON, "the answer is not JSON, nor anything else that is known here (…): ''"),
    (200, "<!doctype html><title>Sign in</title><input type=password>", HTML, "…'Sign in' that asks for a password; …"),
    (
        200,
        "<html><body><ul><li>a</li><li>b</li></ul></body></html>",
        HTML,
        "it is HTML, a page; give the URL of an …",
    ),
    (200, "<a><b>1</b></a>", XML, "no elements repeat in it, so which of them are documents cannot be seen; give a …"),
    (200, "<a><b>1</b>", XML, "the page is not XML (…): it starts with …"),
    (200, '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', XML, "the page has a document type definition, …"),
]


@pytest.mark.parametrize(("status", "body", "headers", "words"), ANSWERS)
def test_answers_without_documents(api: Api, status: int, body: str, headers: dict[str, str], words: str) -> None:
    pattern = ".*".join(map(re.escape, words.split("…")))
    with pytest.raises(
        Stop, match=rf"(?s)^(fetching|reading) http://127\.0\.0\.1:\d+/say\?…( \([\w/]+\))?: .*{pattern}$"
    ):
        probed(say(api.url, body, status=status, headers=headers))


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Stop, match=rf"^fetching http://127\.0\.0\.1:{port}/: .*at each of 3 attempts; try again later"):
        probed(f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    ("url", "headers", "words"),
    [
        ("http://me:hunter2@127.0.0.1:9/", {}, "leave the user and password out"),
        ("http://127.0.0.1:9/?api_key=hunter2", {}, "the secret api_key in url would be stored"),
        ("http://127.0.0.1:9/", {"Authorization": "Bearer hunter2"}, "the secret Authorization in headers"),
        ("ftp://127.0.0.1/", {}, "write a whole URL"),
        ("http://[::1", {}, "not a URL"),
    ],
)
def test_what_no_crawl_may_have(url: str, headers: dict[str, str], words: str) -> None:
    """Before anything is sent; nothing of the secret is repeated."""
    with pytest.raises(CrawlError, match=words) as raised:
        probed(url, headers)
    assert "hunter2" not in str(raised.value)


def test_a_secret_goes_with_each_request(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBE_TOKEN", "hunter2")
    found = probed(f"{api.url}/c/secret?count=35", {"Authorization": "Bearer env:PROBE_TOKEN"})
    asked = api.asked("/c/secret")
    assert found.is_verified
    assert {one.authorization for one in asked} == {"Bearer hunter2"}
    assert found.said["headers"] == {"Authorization": "Bearer env:PROBE_TOKEN"}


def test_patience_has_an_end(api: Api) -> None:
    with pytest.raises(Stop, match="answered 429, and asks for 3,600 s of patience; try again then"):
        probed(f"{api.url}/c/busy?fault=429&after=3600")
    assert len(api.asked("/c/busy")) == 1
