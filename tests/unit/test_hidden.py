"""Secrets in bodies: looked up where the author of the crawl wrote them, put back each time, and kept nowhere."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from pagefleet.crawl import Crawl
from pagefleet.errors import Stop
from pagefleet.page import Request
from pagefleet.secrets import with_secrets
from tests.unit.test_odd_servers import URL, Script, answer, run

OTHER = "https://cdn.example.net"
CURSOR = {"kind": "cursor", "next": "next", "param": "body:page.after"}
BODY = {"q": "x", "auth": {"id": 1, "key": "env:API_KEY"}, "token": "env:TOKEN"}


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"API_KEY": "hunter-two", "TOKEN": 'to"ken', "OTHERS": "not-yours"}.items():
        monkeypatch.setenv(name, value)


def crawl(paginate: Mapping[str, Any], body: Any = BODY, **more: Any) -> Crawl:
    said = {"url": URL, "method": "POST", "documents": "data", "body": body, "limits": {"attempts": 1}}
    return Crawl.model_validate({**said, "paginate": paginate, **more})


def sent(request: Request) -> Any:
    return json.loads(with_secrets(request) or b"null")


def whole(**more: Any) -> Any:
    return {"q": "x", "auth": {"id": 1, "key": "hunter-two"}, "token": 'to"ken', **more}


def walked(source: Crawl, *said: Any) -> list[Request]:
    """What was asked; no secret in any request before it goes out, and in no page."""
    script = Script(*said)
    pages = list(run(source, script))
    for text in ("hunter-two", "to\\"):
        assert text not in repr(pages)
        assert not any(text in repr(asked) for asked in script.asked)
    return script.asked


def test_each_request_has_them() -> None:
    asked = walked(crawl(CURSOR), {"data": [1], "next": "a"}, {"data": [2]})
    assert [sent(one) for one in asked] == [whole(), whole(page={"after": "a"})]


def test_the_body_of_requests_with_a_cursor_has_its_own() -> None:
    then = {"body": {"scroll": "1m", "key": "env:API_KEY"}}
    asked = walked(crawl({**CURSOR, "then": then}), {"data": [1], "next": "a"}, {"data": [2]})
    assert sent(asked[1]) == {"scroll": "1m", "key": "hunter-two", "page": {"after": "a"}}
    asked = walked(
        crawl({**CURSOR, "param": "cursor", "then": {"method": "GET"}}), {"data": [1], "next": "a"}, {"data": []}
    )
    assert (asked[1].method, sent(asked[1])) == ("GET", None)


@pytest.mark.invariant("S-8")
@pytest.mark.parametrize("merge", [True, False])
def test_a_link_that_echoes_them(merge: bool) -> None:
    body = {**whole(page=2), "all": ["hunter-two", 1, {"deep": 'to"ken'}]}
    with_secrets(crawl(CURSOR).first())  # from then on they are known
    link = {"rel": "next", "href": "/things", "method": "POST", "body": body, "merge": merge}
    asked = walked(crawl({"kind": "link_object"}), {"data": [1], "links": [link]}, {"data": [2], "links": []})
    assert sent(asked[1]) == whole(page=2, all=[1, {}])


@pytest.mark.parametrize("body", [["a"], None])
def test_a_link_with_a_body_that_has_no_place_for_them(body: Any) -> None:
    link = {"rel": "next", "href": "/things", "method": "POST", "body": body, "merge": False}
    asked = walked(crawl({"kind": "link_object"}), {"data": [1], "links": [link]}, {"data": [2], "links": []})
    assert sent(asked[1]) == (body or whole())


def test_a_link_whose_body_has_something_else_in_their_place() -> None:
    link = {
        "rel": "next",
        "href": "/things",
        "method": "POST",
        "body": {"auth": 5, "token": "env:OTHERS"},
        "merge": False,
    }
    asked = walked(crawl({"kind": "link_object"}), {"data": [1], "links": [link]}, {"data": [2], "links": []})
    assert sent(asked[1]) == {"auth": {"key": "hunter-two"}, "token": 'to"ken'}


@pytest.mark.parametrize("param", ["body:after", "body:auth.after", "json:after", "after"])
def test_what_a_server_says_is_never_looked_up(param: str) -> None:
    asked = walked(crawl({**CURSOR, "param": param}), {"data": [1], "next": "env:OTHERS"}, {"data": [2]})
    assert "not-yours" not in str(sent(asked[1]))
    assert "env:OTHERS" in str(sent(asked[1])) or "env%3AOTHERS" in asked[1].url


@pytest.mark.invariant("S-1")
def test_no_other_origin_has_them_and_the_way_home_does() -> None:
    hops = [answer(b"", 307, location=f"{OTHER}/x"), answer(b"", 307, location=URL)]
    asked = walked(crawl({"kind": "none"}, origins=[OTHER]), *hops, {"data": [1]})
    assert [sent(one) for one in asked] == [whole(), {"q": "x", "auth": {"id": 1}}, whole()]
    link = {"rel": "next", "href": f"{OTHER}/x", "method": "POST", "body": {"a": 1}, "merge": True}
    linked = crawl({"kind": "link_object"}, origins=[OTHER])
    asked = walked(linked, {"data": [1], "links": [link]}, {"data": [2], "links": []})
    assert sent(asked[1]) == {"q": "x", "auth": {"id": 1}, "a": 1}


def test_a_redirect_by_get_has_no_body() -> None:
    asked = walked(crawl({"kind": "none"}), answer(b"", 303, location="/there"), {"data": [1]})
    assert (asked[1].method, sent(asked[1])) == ("GET", None)


# Children

EACH = {"method": "POST", "body": {"id": "{id}", "auth": {"key": "env:API_KEY"}}}


@pytest.mark.parametrize(
    ("url", "has_some"), [("/a", True), ("{link}", False), (f"{OTHER}/a", True), (f"{URL}/{{id}}", True)]
)
def test_children_have_their_own(url: str, has_some: bool) -> None:
    source = crawl({"kind": "none"}, each={**EACH, "url": url}, origins=[OTHER])
    asked = walked(source, {"data": [{"id": 7, "link": f"{OTHER}/b"}]}, {"a": 1})
    assert sent(asked[1]) == {"id": "7", "auth": {"key": "hunter-two"} if has_some else {}}


@pytest.mark.parametrize("body", [{"id": "{id}"}, {"a": [{"id": "{id}"}]}, "{id}", '{"id": "{id}"}', "id={id}"])
@pytest.mark.parametrize("said", ["env:OTHERS", "file:/etc/hostname"])
def test_what_a_document_says_is_never_looked_up(body: Any, said: str) -> None:
    source = crawl({"kind": "none"}, each={"url": "/a", "method": "POST", "body": body})
    script = Script({"data": [{"id": said}]}, {"a": 1})
    with pytest.raises(Stop, match="following a document"):
        list(run(source, script))
    assert len(script.asked) == 1


# What goes wrong


def test_one_that_is_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("API_KEY")
    with pytest.raises(Stop, match="looking up the secret env:API_KEY: API_KEY is not in this worker's environment"):
        with_secrets(crawl(CURSOR).first())


def test_a_body_that_is_no_json_any_more() -> None:
    asked = Request("POST", URL, {}, b"a=b", hidden={("key",): "env:API_KEY"})
    with pytest.raises(Stop, match=f"sending {URL}: its body is no JSON, and the crawl's has secrets in it"):
        with_secrets(asked)
