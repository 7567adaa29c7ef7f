"""What a server or a file may say that must neither mislead a walk nor break it: each was seen to, once."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from pagefleet.crawl import Crawl
from pagefleet.crawlfile import parse
from pagefleet.errors import CrawlError, RetryNow, Stop
from pagefleet.fetch import Reply, Send
from pagefleet.formats import Reader
from pagefleet.page import Checkpoint, Page, Request, Response
from pagefleet.verdict import Signals, judge
from pagefleet.walk import walk

URL = "https://api.example.org/things"


class Script:
    """Says these, one after the other, and keeps what it was asked."""

    def __init__(self, *said: Any) -> None:
        self.said, self.asked = list(said), list[Request]()

    def reply(self, request: Request) -> Reply:
        self.asked.append(request)
        found = self.said.pop(0)
        return found if isinstance(found, Response | RetryNow) else answer(found)


def answer(said: Any, status: int = 200, **headers: str) -> Response:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return Response(status, URL, headers, body)


def crawl(paginate: Mapping[str, Any], **more: Any) -> Crawl:
    return parse({"url": URL, "documents": "data", "paginate": paginate, "limits": {"attempts": 1}, **more})


def run(source: Crawl, script: Script, checkpoint: Checkpoint | None = None) -> Iterator[Page]:
    flow = walk(source, checkpoint or Checkpoint())
    reply: Reply = None
    while True:
        try:
            step = flow.send(reply)
        except StopIteration:
            return
        reply = script.reply(step.request) if isinstance(step, Send) else None
        if isinstance(step, Page):
            yield step


def rows(*numbers: int, value: int = 5) -> list[dict[str, int]]:
    return [{"id": number, "t": value} for number in numbers]


FALLBACK = {"kind": "cursor", "next": "next", "fallback": {"kind": "keyset", "field": "t", "param": "since"}}


@pytest.mark.parametrize("field", ["t", "absent"])
@pytest.mark.parametrize("inclusive", [True, False])
def test_a_keyset_that_is_only_a_fallback_stops_nothing_and_stays_small(field: str, inclusive: bool) -> None:
    fallback = {"kind": "keyset", "field": field, "param": "since", "inclusive": inclusive}
    pages = [{"data": rows(*range(n, n + 50)), "next": f"c{n}"} for n in range(0, 5000, 50)]
    found = list(run(crawl({**FALLBACK, "fallback": fallback}), Script(*pages, {"data": [], "next": None})))
    assert sum(len(page.documents) for page in found) == 5000
    assert max(len(json.dumps(page.cursor)) for page in found) < 2000


def test_a_fallback_that_the_documents_do_not_have_begins_again() -> None:
    """And by the first page it goes past what is delivered: it was delivered again, and for ever."""
    first, second = {"data": [*rows(1), {"id": 2}], "next": "a"}, {"data": [{"id": 3}], "next": "b"}
    dead = answer({}, 410)
    script = Script(first, second, dead, first, second, {"data": rows(4), "next": None})
    found = list(run(crawl(FALLBACK), script))
    assert [json.loads(document)["id"] for page in found for document in page.documents] == [1, 2, 3, 4]
    with pytest.raises(Stop, match="2 times before at the same place"):
        list(run(crawl(FALLBACK), Script(first, dead, first, dead, first, dead)))


def test_a_fallback_that_the_last_document_does_not_have_is_not_that_of_a_page_before() -> None:
    first, second = {"data": rows(1, value=1), "next": "a"}, {"data": [*rows(2, value=2), {"id": 3}], "next": "b"}
    script = Script(first, second, answer({}, 410), first, second, {"data": rows(4), "next": None})
    found = list(run(crawl(FALLBACK), script))
    assert [json.loads(document)["id"] for page in found for document in page.documents] == [1, 2, 3, 4]


def test_page_numbers_without_a_size_are_no_fallback() -> None:
    with pytest.raises(CrawlError, match="a fallback by page numbers needs size and size_param"):
        crawl({**FALLBACK, "fallback": {"kind": "page"}})


def test_the_end_is_known_behind_a_document_that_was_set_aside() -> None:
    first = {"data": list(range(4)), "total": 8}
    bad, rest = answer(b"", 500), {"data": [6, 7], "total": 8}
    script = Script(first, bad, bad, bad, {"data": [5], "total": 8}, rest, answer(b"none", 404))
    offset = {"kind": "offset", "limit_param": "limit", "limit": 4}
    found = list(run(crawl(offset, total="total"), script))
    assert [json.loads(document) for page in found for document in page.documents] == [0, 1, 2, 3, 5, 6, 7]
    assert found[-1].is_last


@pytest.mark.parametrize("name", ["$replay", "$fallback", "$narrow", "$cursor", "$keyset"])
@pytest.mark.parametrize("value", [5, "zz", [], {}])
def test_a_servers_cursor_is_not_taken_for_one_of_ours(name: str, value: Any) -> None:
    source = crawl({"kind": "cursor", "next": "next", "param": "json:after"})
    script = Script({"data": [1], "next": {name: value}}, {"data": [2], "next": None})
    first, _ = run(source, script)
    again = Script({"data": [2], "next": None})
    rest = list(run(source, again, Checkpoint(2, 0, json.loads(json.dumps(first.cursor)), 1)))
    assert [page.documents for page in rest] == [[b"2"]]
    assert again.asked[0].url == script.asked[1].url


def test_three_levels_without_a_pointer_are_doubted() -> None:
    links = {"kind": "link_header"}
    below = {"url": "/b/{id}", "documents": "data", "paginate": links}
    each = {"url": "/a/{id}", "documents": "data", "paginate": links, "each": below}
    script = Script({"data": [{"id": 1}], "total": 1}, {"data": [{"id": 2}]}, {"data": [{"id": 3}]})
    found = list(run(crawl({"kind": "none"}, each=each), script))
    assert "no-pointer" in " ".join(page.doubt for page in found)
    assert (found[-1].is_last, found[-1].cursor) == (True, None)


@pytest.mark.parametrize("value", ["..", ".", ""])
def test_a_document_leads_nowhere_else_than_its_template(value: str) -> None:
    source = crawl({"kind": "none"}, each={"url": "/repos/{id}/issues"})
    with pytest.raises(Stop, match="leads elsewhere than"):
        list(run(source, Script({"data": [{"id": value}]})))


def test_braces_of_a_query_are_no_placeholders() -> None:
    query = 'query { repo(name: "x") { name } }'
    each = {"url": "/graphql", "method": "POST", "body": {"query": query, "variables": {"id": "{id}"}}}
    script = Script({"data": [{"id": 7}]}, {"a": 1})
    list(run(crawl({"kind": "none"}, each=each), script))
    assert json.loads(script.asked[1].body or b"") == {"query": query, "variables": {"id": "7"}}


@pytest.mark.parametrize("paginate", [{"kind": "continue"}, {"kind": "keyset", "param": "since", "field": "id"}])
def test_half_an_emoji_in_a_cursor(paginate: Mapping[str, Any]) -> None:
    body = b'{"data": [{"id": "\\ud83d"}], "continue": {"a": "\\ud83d"}}'
    with pytest.raises(Stop, match="the cursor does not fit"):
        list(run(crawl(paginate), Script(answer(body))))


@pytest.mark.parametrize("body", ["x", 3, ["a"]])
def test_a_link_whose_body_is_no_object(body: Any) -> None:
    link = {"rel": "next", "href": "/next", "method": "POST", "body": body, "merge": True}
    with pytest.raises(Stop, match="these are no objects"):
        list(run(crawl({"kind": "link_object"}), Script({"data": [1], "links": [link]})))


def test_a_link_is_followed_by_get_unless_it_says_otherwise() -> None:
    script = Script(
        {"data": [1], "links": [{"rel": "next", "href": "/n", "method": "GET"}]}, {"data": [2], "links": []}
    )
    list(run(crawl({"kind": "link_object"}, method="POST", body={"a": 1}), script))
    assert [(asked.method, asked.body) for asked in script.asked] == [("POST", b'{"a": 1}'), ("GET", None)]


def test_a_redirect_there_and_back_has_its_credentials_again() -> None:
    there, back = "https://cdn.example.net/x", "https://api.example.org/y"
    source = crawl({"kind": "none"}, origins=[there], headers={"Authorization": "Bearer env:TOKEN"})
    script = Script(answer(b"", 302, location=there), answer(b"", 302, location=back), {"data": []})
    list(run(source, script))
    assert [dict(asked.headers) for asked in script.asked] == [dict(source.headers), {}, dict(source.headers)]


@pytest.mark.parametrize("charset", ["undefined", "punycode", "utf-7", "idna", "unicode_escape"])
def test_charsets_that_are_none(charset: str) -> None:
    with pytest.raises(Stop, match="no character set that is known here"):
        Reader("json", "$").read(Response(200, URL, {"content-type": f"a/b; charset={charset}"}, b"[]"))


@pytest.mark.parametrize("documents", ["$.a[*]", "."])
@pytest.mark.parametrize("body", [b'{"a": [NaN]}', b'{"a": ["\xff"]}'])
def test_what_is_no_json_is_none_by_json_path_either(documents: str, body: bytes) -> None:
    with pytest.raises(Stop):
        Reader("json", documents, ("b[0]",)).read(Response(200, URL, {}, body))


def test_an_xpath_that_fails_on_a_real_page() -> None:
    with pytest.raises(Stop, match="reading by the XPath"):
        Reader("xml", "//r[foo()]").read(Response(200, URL, {}, b"<a><r/></a>"))


def test_an_error_by_a_prefix_of_the_crawls_own() -> None:
    said = {"documents": "//x:r", "format": "xml", "error": "//x:e", "namespaces": {"x": "urn:x"}}
    source = parse({"url": URL, "paginate": {"kind": "none"}, "limits": {"attempts": 1}, **said})
    with pytest.raises(Stop, match="//x:e = 'no'"):
        list(run(source, Script(answer(b'<a xmlns="urn:x"><e>no</e></a>'))))


def test_a_doubt_of_another_version_is_a_doubt() -> None:
    assert str(judge(Signals(1, doubts="mine"))) == "suspect: a doubt that this version does not know"
