"""The walk against servers in memory: every paginator enumerates exactly, from every checkpoint, whatever fails."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pagefleet.crawl import Crawl
from pagefleet.errors import RetryNow, Stop
from pagefleet.fetch import Reply, Send, Wait
from pagefleet.page import Checkpoint, Page, Request, Response
from pagefleet.walk import walk
from pagefleet.watch import digest
from tests.api import document

URL = "https://api.example.org/things"


class Server:
    """Answers requests, and remembers them."""

    def __init__(self) -> None:
        self.asked: list[Request] = []

    def reply(self, request: Request) -> Reply:
        self.asked.append(request)
        return self.answer(request)

    def answer(self, request: Request) -> Reply:
        raise NotImplementedError


def run(crawl: Crawl, server: Server, checkpoint: Checkpoint | None = None) -> Iterator[Page]:
    """The pages, as a driver gets them; time passes at once."""
    flow, reply = walk(crawl, checkpoint or Checkpoint()), None
    while True:
        try:
            step = flow.send(reply)
        except StopIteration:
            return
        reply = server.reply(step.request) if isinstance(step, Send) else None
        if isinstance(step, Page):
            yield step


def page(body: str | bytes, status: int = 200, headers: Mapping[str, str] | None = None, *, url: str = URL) -> Response:
    return Response(status, url, headers or {}, body.encode() if isinstance(body, str) else body)


# Enumeration


@dataclass
class Model(Server):
    """A collection as a real server pages through it: by its own page size, whatever was asked for."""

    count: int
    size: int
    kind: str
    paginate: Mapping[str, Any]
    total: bool = True
    past_the_end: int = 200
    absolute: bool = False

    def __post_init__(self) -> None:
        super().__init__()
        self.documents = [document("model", number) for number in range(self.count)]

    def answer(self, request: Request) -> Response:
        params = dict(parse_qsl(urlsplit(request.url).query))
        size = min(self.size, int(params.get("limit", self.size)))
        start = self._start(params, size)
        if start >= self.count and start > 0 and self.past_the_end != 200:
            return page(b"no such page", self.past_the_end)
        documents, end = self.documents[start : start + size], min(start + size, self.count)
        meta: dict[str, Any] = {"total": self.count} if self.total else {}
        headers: dict[str, str] = {}
        if self.kind == "cursor":
            meta |= {"next": f"{end} /+é?&" if end < self.count else None, "more": end < self.count}
        if end < self.count and self.kind in ("next_url", "link_header"):
            link = (URL if self.absolute else "") + f"?at={end}"
            meta, headers = (
                (meta | {"next": link}, {}) if self.kind == "next_url" else (meta, {"link": f"<{link}>; rel=next"})
            )
        body = b'{"meta": ' + json.dumps(meta).encode() + b', "data": [' + b",".join(documents) + b"]}"
        return page(body, headers=headers, url=request.url)

    def _start(self, params: Mapping[str, str], size: int) -> int:
        match self.kind:
            case "offset":
                return int(params["offset"]) - int(self.paginate.get("start", 0))
            case "page":
                return (int(params["page"]) - int(self.paginate.get("start", 1))) * size
            case "cursor":
                return int(params.get("cursor", "0").split(" ")[0])
            case _:
                return int(params.get("at", 0))

    def crawl(self, **more: Any) -> Crawl:
        said = {
            "url": URL,
            "documents": "data",
            "total": "meta.total",
            "paginate": {"kind": self.kind, **self.paginate},
        }
        return Crawl.model_validate({**said, **more})


KINDS = ["offset", "page", "cursor", "next_url", "link_header", "none"]
each_kind = pytest.mark.parametrize("kind", KINDS)


@st.composite
def models(draw: st.DrawFn, kind: str) -> Model:
    """Any count around the edges of a page, and every way to say where the next page is."""
    size = draw(st.integers(1, 7))
    count = draw(
        st.sampled_from([0, 1, size - 1, size, size + 1, 2 * size, 3 * size - 1, 3 * size + 1]) | st.integers(0, 9)
    )
    limit = draw(st.none() | st.integers(1, 10))
    paginate: dict[str, Any] = {}
    if kind in ("offset", "page"):
        paginate |= draw(st.sampled_from([{}, {"start": 0}, {"start": 1}]))
        name = "limit" if kind == "offset" else "size"
        paginate |= {f"{name}_param": "limit", name: limit} if limit else {}
    elif kind == "cursor":
        paginate |= {"next": "meta.next", **draw(st.sampled_from([{}, {"more": "meta.more"}, {"start": "0 "}]))}
    elif kind == "next_url":
        paginate["next"] = "$.meta['next']"
    elif kind == "none":
        size = max(count, 1)
    # A server that answers an error behind the last page must have said where that is.
    total, past_the_end = draw(
        st.sampled_from([(True, 200), (False, 200), (True, 400), (True, 404), (True, 416), (True, 422)])
    )
    return Model(count, size, kind, paginate, total, past_the_end, absolute=draw(st.booleans()))


@each_kind
@given(data=st.data())
def test_every_document_once_in_order(kind: str, data: st.DataObject) -> None:
    model = data.draw(models(kind))
    pages = list(run(model.crawl(), model))
    assert [found for one in pages for found in one.documents] == model.documents
    assert [one.is_last for one in pages] == [False] * (len(pages) - 1) + [True]
    assert len(model.asked) <= model.count // min(model.size, 1) + 2
    assert pages[-1].total == (model.count if model.total else None)


@pytest.mark.invariant("C-1")
@each_kind
@given(data=st.data())
def test_from_every_checkpoint_exactly_the_rest(kind: str, data: st.DataObject) -> None:
    """The cursor has been to Redis and back, and so has the description."""
    model = data.draw(models(kind))
    crawl = Crawl.model_validate_json(model.crawl().model_dump_json(by_alias=True, exclude_defaults=True))
    pages = list(run(crawl, model))
    for number, at in checkpoints(pages):
        rest = list(run(crawl, model, at))
        assert [replace(one, seconds=0) for one in rest] == [replace(one, seconds=0) for one in pages[number:]]


def checkpoints(pages: Sequence[Page]) -> Iterator[tuple[int, Checkpoint]]:
    """Behind each page but the last."""
    documents = 0
    for number, one in enumerate(pages[:-1], 1):
        documents += len(one.documents)
        cursor = json.loads(json.dumps(one.cursor))
        yield number, Checkpoint(page=number + 1, cursor=cursor, documents=documents, total=one.total)
        following = pages[number].documents
        if (index := len(following) // 2) > 0:  # in the middle of a page, too: it is fetched whole again
            yield number, Checkpoint(number + 1, index, cursor, documents + index, one.total, digest(following[:index]))


class Faulty(Server):
    """Another server that fails in passing: each request so often as `faults` says, in turn."""

    def __init__(self, server: Server, faults: Sequence[Sequence[Reply]]) -> None:
        super().__init__()
        self._server = server
        self._faults = [list(some) for some in faults]

    def answer(self, request: Request) -> Reply:
        if self._faults and self._faults[0]:
            return self._faults[0].pop()
        self._faults = self._faults[1:]
        return self._server.reply(request)


passing: st.SearchStrategy[Reply] = st.sampled_from(
    [
        RetryNow("connection reset"),
        *(page("sorry", status) for status in (408, 425, 429, 500, 502, 503, 504, 520, 524)),
        page("sorry", 429, {"retry-after": "7"}),
        page("sorry", 503, {"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}),
    ]
)


@given(st.sampled_from(KINDS).flatmap(models), st.lists(st.lists(passing, max_size=4), max_size=10))
def test_passing_faults_change_nothing(model: Model, faults: Sequence[Sequence[Reply]]) -> None:
    faulty = list(run(model.crawl(), Faulty(model, faults)))
    assert faulty == list(run(model.crawl(), model))


# Pages that lead nowhere


class Says(Server):
    """These answers, one after the other."""

    def __init__(self, *answers: Reply) -> None:
        super().__init__()
        self._answers = list(answers)

    def answer(self, request: Request) -> Reply:
        return self._answers.pop(0)


def crawl(paginate: Mapping[str, Any], **more: Any) -> Crawl:
    return Crawl.model_validate({"url": URL, "documents": "data", "paginate": paginate, **more})


CURSOR = {"kind": "cursor", "next": "next"}
NEXT_URL = {"kind": "next_url", "next": "next"}
CONTINUE = {"kind": "continue", "next": "next"}


@pytest.mark.parametrize(
    ("paginate", "body"),
    [
        *((CURSOR, f'{{"data": [1], "next": {value}}}') for value in ("null", '""', "false", "0", "[]", "{}")),
        *((NEXT_URL, f'{{"data": [1], "next": {value}}}') for value in ("null", '""', "false", "{}")),
        (CURSOR, '{"data": [1]}'),
        ({**CURSOR, "more": "more"}, '{"data": [1], "next": "x", "more": false}'),
        ({**CURSOR, "more": "more"}, '{"data": [1], "next": "x"}'),
        ({"kind": "none"}, '{"data": [1], "next": "x"}'),
        ({"kind": "link_header"}, '{"data": [1], "next": "x"}'),
    ],
)
def test_the_end(paginate: Mapping[str, Any], body: str) -> None:
    (only,) = run(crawl(paginate), Says(page(body)))
    assert only.is_last
    assert only.cursor is None


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ('"a b+c/d?e=f&é😀%2F"', "a b+c/d?e=f&é😀%2F"),
        ('"\\ud83d\\ude00"', "😀"),
        ("12345678901234567890", "12345678901234567890"),
        ("1700000000.1234567890123", "1700000000.1234567890123"),
        ("1.50", "1.50"),
        ("-1", "-1"),
        ("1e400", "1e400"),
    ],
)
def test_a_cursor_goes_back_as_it_came(value: str, sent: str) -> None:
    server = Says(page(f'{{"data": [1], "next": {value}}}'), page('{"data": []}'))
    list(run(crawl(CURSOR), server))
    assert dict(parse_qsl(urlsplit(server.asked[1].url).query)) == {"cursor": sent}


@pytest.mark.parametrize(
    ("paginate", "answer", "expected"),
    [
        (
            CURSOR,
            page('{"data": [1], "next": {"after": 1}}'),
            "'next' holds no cursor but {'after': 1}; correct paginate.next",
        ),
        (CURSOR, page('{"data": [1], "next": ["a"]}'), "'next' holds no cursor but ['a']"),
        (
            CURSOR,
            page(f'{{"data": [1], "next": "{"x" * 70_000}"}}'),
            "the next page has 70002 bytes, and at most 65536",
        ),
        (CURSOR, page('{"data": [1], "next": true}'), "'next' holds no cursor but True"),
        (CURSOR, page('{"data": [1], "next": "\\ud83d"}'), r"'next' holds no cursor but '\ud83d'"),
        ({**CURSOR, "more": "m"}, page('{"data": [1], "m": true}'), "'next' holds no cursor but None"),
        (
            {**CURSOR, "carry": {"b": "meta"}},
            page('{"data": [1], "next": "a", "meta": {"c": 1}}'),
            "'meta' holds {'c': 1}, which cannot be put into 'b'; correct paginate.carry",
        ),
        (CONTINUE, page('{"data": [1], "next": {"a": {"b": 1}}}'), "'next' holds no parameters but {'a': {'b': 1}}"),
        (CONTINUE, page('{"data": [1], "next": 1}'), "'next' holds no parameters but 1"),
        (NEXT_URL, page('{"data": [1], "next": ["/a"]}'), "'next' holds no URL but ['/a']"),
        (NEXT_URL, page('{"data": [1], "next": "http://a:b/?key=1"}'), "leads on to 'http://a:b/?…', which is no URL"),
        (NEXT_URL, page('{"data": [1], "next": "\\ud83d"}'), "which is no URL"),
        (NEXT_URL, page('{"data": [1], "next": "/\\u0000"}'), "which is no URL"),
        (
            {"kind": "link_header"},
            page('{"data": [1]}', headers={"link": "<http://a:b/>; rel=next"}),
            "which is no URL",
        ),
        (CURSOR, page(f'{{"data": [1], "next": "{"x" * 65_530}"}}'), "the cursor does not fit into a URL"),
    ],
)
def test_what_is_no_way_on(paginate: Mapping[str, Any], answer: Response, expected: str) -> None:
    with pytest.raises(Stop) as stop:
        list(run(crawl(paginate), Says(answer, answer)))
    assert expected in str(stop.value)
    assert URL in str(stop.value)
    assert len(str(stop.value)) < 400


@pytest.mark.parametrize(
    "link", ["//", "?", "#", "..", "mailto:a@b", "javascript:0", "file:///etc/passwd", "http:", "\\", "%"]
)
def test_odd_links_stop_or_stay_at_home(link: str) -> None:
    server = Says(page(json.dumps({"data": [1], "next": link})), page('{"data": [2]}'))
    try:
        list(run(crawl(NEXT_URL), server))
    except Stop as stop:
        assert "another origin" in str(stop) or "no URL" in str(stop) or "itself" in str(stop)  # noqa: PT017  # either
    assert all(asked.url.startswith("https://api.example.org") for asked in server.asked)


@pytest.mark.parametrize("paginate", [{"kind": "offset"}, {"kind": "page"}, CURSOR])
def test_a_server_that_ignores_the_cursor(paginate: Mapping[str, Any]) -> None:
    pages = run(crawl(paginate), Says(page('{"data": [1], "next": "a"}'), page('{"data": [1], "next": "b"}')))
    assert next(pages).documents == [b"1"]
    with pytest.raises(
        Stop, match="it holds the very documents of the page before it, so the server ignores the cursor"
    ):
        next(pages)


def test_empty_pages_on_the_way() -> None:
    """Servers that filter behind the cursor send them; they are the end only where positions are counted."""
    empty = [page(f'{{"data": [], "next": {number}}}') for number in (1, 2, 3)]
    pages = list(run(crawl(CURSOR), Says(*empty, page('{"data": [1]}'))))
    assert [one.documents for one in pages] == [[], [], [], [b"1"]]


@pytest.mark.parametrize(
    ("paginate", "value"), [(CURSOR, "a"), (NEXT_URL, "?p=2"), (NEXT_URL, "https://api.example.org/things?p=2")]
)
def test_a_page_that_names_itself(paginate: Mapping[str, Any], value: str) -> None:
    """Empty ones as well: they would go round for ever."""
    body = json.dumps({"data": [], "next": value})
    pages = run(crawl(paginate), Says(*[page(body)] * 3))
    next(pages)
    with pytest.raises(Stop, match="it names itself as the next page"):
        next(pages)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            page("<html>", headers={"content-type": "text/html"}),
            "reading https://api.example.org/things (text/html): the page is not JSON",
        ),
        (page('{"items": []}'), "reading https://api.example.org/things (no content type): no 'data' in the page"),
        (
            page("no\nway", 401),
            "fetching https://api.example.org/things: the server answered 401 'no'; check the credentials",
        ),
        (page("", 403), "the server answered 403 ''; check the credentials"),
        (page("", 404), "the server answered 404 ''; check the crawl's url"),
        (page("", 410), "the server answered 410 ''; the server will not answer this request"),
        (page("", 304), "the server answered 304 ''"),
        (page("", 302), "the server answered 302 ''"),
    ],
)
def test_a_first_page_that_cannot_be_had(answer: Response, expected: str) -> None:
    with pytest.raises(Stop) as stop:
        list(run(crawl(NEXT_URL), Says(answer)))
    assert expected in str(stop.value)


def test_an_error_behind_the_end_is_an_error_until_all_has_arrived() -> None:
    offset = crawl({"kind": "offset"}, total="total")
    server = Says(page('{"total": 3, "data": [1, 2]}'), page("", 404))
    with pytest.raises(Stop, match="the server answered 404"):
        list(run(offset, server))
    with pytest.raises(Stop, match="the server answered 404"):
        list(run(offset, Says(page("", 404))))
    # From the middle of the second page: it comes whole again, and its first half does not count twice.
    half = Checkpoint(page=2, index=1, cursor=2, documents=3, total=5)
    with pytest.raises(Stop, match="the server answered 404"):
        list(run(offset, Says(page('{"total": 5, "data": [3, 4]}'), page("", 404)), half))


@pytest.mark.parametrize(
    ("value", "total"),
    [
        ("3", 3),
        ('"3"', 3),
        ("0", 0),
        *((value, None) for value in ("-1", "null", "true", '"x"', "3.5", "{}", "9" * 5000, f'"{"9" * 5000}"')),
    ],
)
def test_totals(value: str, total: int | None) -> None:
    (only,) = run(crawl({"kind": "none"}, total="total"), Says(page(f'{{"data": [1], "total": {value}}}')))
    assert only.total == total


# Credentials

SECRET = {"params": {"key": "env:API_KEY", "q": "x"}, "headers": {"Authorization": "Bearer env:TOKEN", "Accept": "a/b"}}


def queries(server: Server) -> list[dict[str, str]]:
    return [dict(parse_qsl(urlsplit(asked.url).query)) for asked in server.asked]


@pytest.mark.invariant("S-8")
@pytest.mark.parametrize("fallback", [None, {"kind": "keyset", "field": "id", "param": "since"}])
@pytest.mark.parametrize(
    "paginate",
    [NEXT_URL, {"kind": "link_header"}, {"kind": "link_object"}, {"kind": "continue"}],
    ids=lambda said: said["kind"],
)
def test_an_echoed_secret_is_in_no_cursor_and_goes_along_again(paginate: Mapping[str, Any], fallback: Any) -> None:
    link = "/things?a=%2F&key=hunter2&p=2"
    more = {"continue": {"a": "/", "key": "hunter2", "p": "2"}, "links": [{"rel": "next", "href": link}]}
    first = json.dumps({"data": [{"id": 1}], "next": link, **more})
    server = Says(page(first, headers={"link": f"<{link}>; rel=next"}), page('{"data": [{"id": 2}]}'))
    pages = list(run(crawl({**paginate, "fallback": fallback}, **SECRET), server))
    assert "hunter2" not in repr((pages, server.asked))
    own = {"q": "x"} if paginate["kind"] == "continue" else {}
    assert queries(server) == [{"q": "x"}, {**own, "a": "/", "p": "2"}]
    assert [asked.secrets for asked in server.asked] == [{"key": "env:API_KEY"}] * 2
    assert [asked.headers["Authorization"] for asked in server.asked] == ["Bearer env:TOKEN"] * 2


def test_a_redirect_that_echoes_a_secret() -> None:
    server = Says(page("", 302, {"location": "/there?key=hunter2"}), page('{"data": [1]}'))
    pages = list(run(crawl(NEXT_URL, **SECRET), server))
    assert "hunter2" not in repr((pages, server.asked))
    assert server.asked[1].secrets == {"key": "env:API_KEY"}


@pytest.mark.parametrize("text", ["env:AWS_SECRET", "a env:AWS_SECRET", "file:/etc/passwd"])
def test_what_a_server_writes_is_no_secret_of_ours(text: str) -> None:
    """Else it would get any variable of the worker for the asking."""
    for paginate, value in ((CURSOR, text), (NEXT_URL, f"?a={text}")):
        server = Says(page(json.dumps({"data": [1], "next": value})), page('{"data": [2]}'))
        list(run(crawl(paginate), server))
        assert text in queries(server)[1].values()
        assert not server.asked[1].secrets


def test_an_opaque_cursor_is_left_alone_where_there_are_secrets() -> None:
    server = Says(page('{"data": [1], "next": "a b?key=1"}'), page('{"data": [2]}'))
    pages = list(run(crawl(CURSOR, **SECRET), server))
    assert pages[0].cursor == "a b?key=1"
    assert queries(server)[1] == {"q": "x", "cursor": "a b?key=1"}


OTHERS = [
    "http://api.example.org",
    "https://api.example.org:8443",
    "https://api.example.org.evil.test",
    "https://evil.test",
]
SAME = ["https://api.example.org", "https://api.example.org:443", "HTTPS://API.example.org"]


@pytest.mark.invariant("S-2")
@pytest.mark.parametrize("other", OTHERS)
def test_another_origin_stops_the_crawl(other: str) -> None:
    for answer in (page(f'{{"data": [1], "next": "{other}/x?y=z"}}'), page("", 307, {"location": f"{other}/x?y=z"})):
        server = Says(answer, page('{"data": [2]}'))
        with pytest.raises(Stop) as stop:
            list(run(crawl(NEXT_URL, **SECRET), server))
        assert (
            f"going on to {other}/x?…: the next page is said to be on another origin than https://api.example.org:443"
            in str(stop.value)
        )
        assert "list it in the crawl: origins = ['http" in str(stop.value)
        assert len(server.asked) == 1


@pytest.mark.invariant("S-1")
@pytest.mark.parametrize("other", OTHERS)
def test_credentials_never_go_to_another_origin(other: str) -> None:
    link = f"{other}/x?key=hunter2&y=z"
    for answer in (page(f'{{"data": [1], "next": "{link}"}}'), page("", 307, {"location": link})):
        server = Says(answer, page('{"data": [2]}'))
        list(run(crawl(NEXT_URL, **SECRET, origins=[other]), server))
        there = server.asked[1]
        assert (there.url, there.headers, there.secrets) == (f"{other}/x?y=z", {"Accept": "a/b"}, {})


@pytest.mark.parametrize("same", SAME)
def test_the_same_origin_written_otherwise(same: str) -> None:
    server = Says(page(f'{{"data": [1], "next": "{same}/x"}}'), page('{"data": [2]}'))
    assert len(list(run(crawl(NEXT_URL, **SECRET), server))) == 2
    assert server.asked[1].headers == SECRET["headers"]


def test_the_way_home_from_another_origin() -> None:
    other = "https://pages.example.net"
    answers = [
        page(f'{{"data": [{n}], "next": "{url}/x?n={n}"}}') for n, url in enumerate([other, "https://api.example.org"])
    ]
    server = Says(*answers, page('{"data": [9]}'))
    list(run(crawl(NEXT_URL, **SECRET, origins=[other]), server))
    assert [bool(asked.secrets) for asked in server.asked] == [True, False, True]
    assert ["Authorization" in asked.headers for asked in server.asked] == [True, False, True]


def test_waits_name_the_origin_that_asked_for_them() -> None:
    flow = walk(crawl(NEXT_URL), Checkpoint())
    flow.send(None)
    wait = flow.send(page("", 429, {"retry-after": "3"}))
    assert isinstance(wait, Wait)
    assert (wait.url, wait.cause.seconds, wait.cause.is_source) == (URL, 3.0, True)


@pytest.mark.parametrize(("key", "doubts"), [(None, ["", "", ""]), ("id", ["", "overlap", ""])])
def test_documents_that_are_alike_may_be_two_where_no_key_says_that_they_are_one(key: Any, doubts: list[str]) -> None:
    answers = [page(f'{{"data": [{{"id": {n}}}, {{"id": 7}}, {{"id": 7}}]}}') for n in (7, 8)]
    found = list(run(crawl({"kind": "offset"}, key=key), Says(*answers, page('{"data": []}'))))
    assert ([one.doubt for one in found], sum(len(one.documents) for one in found)) == (doubts, 6)


# Nothing where the next page should stand


@pytest.mark.parametrize("paginate", [CURSOR, NEXT_URL, {"kind": "link_header"}])
@pytest.mark.parametrize(("absent", "doubt"), [("doubt", "no-pointer"), ("end", "")])
def test_what_an_absent_pointer_on_the_only_page_means(paginate: Mapping[str, Any], absent: str, doubt: str) -> None:
    (only,) = run(crawl({**paginate, "absent": absent}), Says(page('{"data": [1]}')))
    assert (only.is_last, only.doubt) == (True, doubt)


def test_a_form_is_said_to_be_one_from_the_first_request_on() -> None:
    said = crawl({"kind": "cursor", "next": "next", "param": "form:cursor"}, method="POST", body="a=b")
    server = Says(page('{"data": [1], "next": "x y"}'), page('{"data": [2]}'))
    list(run(said, server))
    assert [asked.body for asked in server.asked] == [b"a=b", b"a=b&cursor=x+y"]
    assert {asked.headers["content-type"] for asked in server.asked} == {"application/x-www-form-urlencoded"}
