"""What a crawl must come to when its API goes wrong, P13 to P20, P24 and P25: cursors, moving rows, and leads.

P13  a cursor dies                       all by any fallback, `suspect` if the rows have moved; without one Stop
P14  the server moves on when asked      all by a fallback when a reply is lost, and no request is ever sent twice
P15  a cursor is bound to parameters     all: they go along, or only those in `keep`
P16  rows come and go while paging       all by keyset; by position `suspect`: some come twice or never
P17  no order                            `suspect`: some come twice or never
P18  counting from 0 or from 1           all by the right `start`; else Stop, `truncated` or `suspect`
P19  links of all kinds                  all, and nothing is asked at an origin that is not listed
P20  several continuations               all, each once, merged from its parts
P24  odd cursors                         all: they go back as they came, wherever they go
P25  a feed that grows at its front      all that was there by keyset; by position `suspect`, `truncated` by the total
"""

import asyncio
import json
from collections.abc import Generator
from typing import Any

import pytest

from tests.hostile import ROWS, Hostile, hostile
from tests.hostile.outcome import (
    COMPLETE,
    CURSOR,
    KEYSET,
    LINK_HEADER,
    NEXT_URL,
    OFFSET,
    PAGE,
    Outcome,
    Paginate,
    assert_stopped,
    assert_whole,
    crawl,
    drained,
    rest,
)


@pytest.fixture
def server() -> Generator[Hostile]:
    with hostile() as served:
        yield served
        asyncio.run(served.is_idle())


# P13: a cursor dies

FALLBACKS: list[Any] = [
    KEYSET,
    OFFSET,
    {**PAGE, "size_param": "per_page", "size": 10},
    {**PAGE, "size_param": "per_page", "size": 8},
    "restart",
]


@pytest.mark.parametrize("status", [400, 404, 409, 410, 422])
@pytest.mark.parametrize("fallback", FALLBACKS)
def test_p13_a_cursor_expires(server: Hostile, status: int, fallback: Any) -> None:
    source = crawl(server, f"/p13-cursor-expires?as={status}", {**CURSOR, "fallback": fallback})
    assert_all_by(fallback, drained(server, source))
    assert server.has_seen("deaths") == 1


def assert_all_by(fallback: Any, outcome: Outcome) -> None:
    """Nobody knows whether the API counts in the order of its cursors, so a position that was counted is doubtful."""
    assert outcome.stop == ""
    assert outcome.documents == ROWS
    assert outcome.verdict == (COMPLETE if fallback in (KEYSET, "restart") else ("suspect", "moved"))


@pytest.mark.parametrize("fallback", FALLBACKS)
def test_p13_a_cursor_expires_with_an_error_in_200(server: Hostile, fallback: Any) -> None:
    paginate = {**CURSOR, "fallback": fallback, "expired": ["200 badResumptionToken"]}
    assert_all_by(fallback, drained(server, crawl(server, "/p13-cursor-expires?as=200", paginate)))


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (410, "give the crawl's paginate a fallback"),
        (404, "the server answered 404"),
        (400, "the server answered 400"),
        (200, "no 'data' in the page: an object with the members 'error', 'code'"),
    ],
)
def test_p13_a_cursor_expires_and_there_is_no_other_way(server: Hostile, status: int, said: str) -> None:
    outcome = drained(server, crawl(server, f"/p13-cursor-expires?as={status}", CURSOR))
    assert_stopped(outcome, 20, said, "/p13-cursor-expires?…" if status != 410 else "the cursor '1:20'")


def test_p13_a_cursor_expires_and_the_rows_have_moved(server: Hostile) -> None:
    """From the start, past as many as are delivered: those are others now, and that is said."""
    source = crawl(server, "/p13-cursor-expires?moved=1", {**CURSOR, "fallback": "restart"})
    outcome = drained(server, source)
    assert outcome.numbers == [*range(20), 4, 3, 2, 1, 0]
    assert outcome.verdict == ("suspect", "moved")


@pytest.mark.parametrize("total", ["meta.total", None])
def test_p13_a_cursor_that_expires_at_the_same_place_again(server: Hostile, total: str | None) -> None:
    """Starting again gets no further, so it is not done for ever."""
    source = crawl(server, "/p13-cursor-expires?always=1", {**CURSOR, "fallback": "restart"}, total=total)
    outcome = drained(server, source)
    assert_stopped(outcome, 20, "the cursor '3:20'", "/p13-cursor-expires?… answered 410", "at the same place")
    assert server.has_seen("deaths") == 3


# P14: the server moves on when it is asked

ADVANCING = {**CURSOR, "empty": "end", "replay": "advancing"}
SINGLE = {**CURSOR, "replay": "single-use"}
LOST = [
    pytest.param("/p14-server-moves-on?lose=3", ADVANCING, 20, id="advancing, third"),
    pytest.param("/p14-server-moves-on?lose=2", ADVANCING, 10, id="advancing, second"),
    pytest.param("/p14-single-use?lose=1", SINGLE, 10, id="single use"),
]


@pytest.mark.parametrize(("path", "paginate", "rows"), LOST)
@pytest.mark.parametrize("fallback", FALLBACKS)
def test_p14_a_lost_reply_and_a_fallback(
    server: Hostile, path: str, paginate: Paginate, rows: int, fallback: Any
) -> None:
    outcome = drained(server, crawl(server, path, {**paginate, "fallback": fallback}))
    assert_all_by(fallback, outcome)
    assert [f"behind {rows} documents" in page.notice for page in outcome.pages if page.notice] == [True]
    assert_never_sent_twice(server)


@pytest.mark.parametrize(("path", "paginate", "rows"), LOST)
def test_p14_a_lost_reply_and_no_other_way(server: Hostile, path: str, paginate: Paginate, rows: int) -> None:
    outcome = drained(server, crawl(server, path, paginate))
    assert_stopped(outcome, rows, "the request cannot be sent again", "give the crawl's paginate a fallback")
    assert_never_sent_twice(server)


def test_p14_a_reply_that_is_too_late(server: Hostile) -> None:
    paginate = {**ADVANCING, "fallback": KEYSET}
    late = crawl(server, "/p14-server-moves-on?lose=3&late=1", paginate, limits={"attempts": 3, "seconds": 1.0})
    assert_whole(drained(server, late))
    assert_never_sent_twice(server)


def assert_never_sent_twice(server: Hostile) -> None:
    """None behind the one whose reply was lost: what a scroll would say next is what comes after the lost page."""
    assert server.has_seen("lost") == 1
    scroll = [asked.target for asked in server.asked() if "cursor=scroll-1" in asked.target]
    assert len(scroll) <= 2
    single = [asked.target for asked in server.asked("/p14-single-use") if "cursor=" in asked.target]
    assert len(single) == len(set(single))


def test_p14_a_lost_reply_where_nobody_has_said_that_the_server_moves_on(server: Hostile) -> None:
    """Asked again it answers with the page behind the lost one; the total tells."""
    outcome = drained(server, crawl(server, "/p14-server-moves-on?lose=2", {**CURSOR, "empty": "end"}))
    assert outcome.numbers == [*range(10), *range(20, 25)]
    assert outcome.verdict == ("truncated", "below-total")


@pytest.mark.parametrize("path", ["/p14-server-moves-on", "/p14-single-use"])
def test_p14_the_cursor_of_a_checkpoint_may_have_been_used(server: Hostile, path: str) -> None:
    """The worker before fetched its page, perhaps, and did not live to commit it."""
    paginate = ADVANCING if "moves-on" in path else SINGLE
    source = crawl(server, path, paginate)
    first = drained(server, source)
    assert_whole(first)
    again = drained(server, source, first.pages[0].cursor)
    assert (again.documents, len(server.asked())) == ([], 0)
    assert "give the crawl's paginate a fallback" in again.stop
    safe = crawl(server, path, {**paginate, "fallback": KEYSET})
    before = drained(server, safe)
    after = drained(server, safe, before.pages[0].cursor)
    assert after.documents == ROWS[10:]


def test_p14_a_child_whose_server_moves_on_stays_with_its_worker(server: Hostile) -> None:
    """Another one would find its cursor used."""
    none, child = {"kind": "none"}, {"url": f"{server.url}/p14-server-moves-on?x={{id}}", "documents": "data"}
    assert crawl(server, "/p29-parents", none, each={**child, "paginate": CURSOR}).may_be_handed_over
    for paginate in (ADVANCING, SINGLE):
        below = {**child, "paginate": paginate}
        assert not crawl(server, "/p29-parents", none, each=below).may_be_handed_over
        assert not crawl(server, "/p29-parents", none, each={**child, "each": below}).may_be_handed_over


# P15: a cursor is bound to its parameters


def test_p15_a_cursor_goes_with_the_parameters_that_it_came_from(server: Hostile) -> None:
    bound = crawl(server, "/p15-bound-to-its-parameters?q=a%20b%26c", CURSOR, params={"limit": 10})
    assert_whole(drained(server, bound))


def test_p15_a_cursor_goes_alone(server: Hostile) -> None:
    path = "/p15-bound-to-its-parameters/alone?verb=ListRecords&metadataPrefix=oai_dc"
    assert_whole(drained(server, crawl(server, path, {**CURSOR, "keep": ["verb"]})))
    outcome = drained(server, crawl(server, path, CURSOR))
    assert_stopped(outcome, 10, "the server answered 400", "the cursor does not belong to this query")


# P16, P17, P25: rows that move

POSITIONS = [OFFSET, PAGE, CURSOR]


@pytest.mark.parametrize("total", ["meta.total", None])
@pytest.mark.parametrize("paginate", POSITIONS)
def test_p16_a_row_comes_at_the_front(server: Hostile, paginate: Paginate, total: str | None) -> None:
    """The last row of each page is the first of the next; the count fits all the same, since the new row is missing."""
    outcome = drained(server, crawl(server, "/p16-rows-move?as=insert", paginate, total=total))
    assert outcome.numbers == [*range(10), *range(9, 25)]
    assert outcome.verdict[0] == "suspect"
    assert "overlap" in outcome.verdict


@pytest.mark.parametrize("paginate", POSITIONS)
def test_p16_a_row_goes_at_the_front(server: Hostile, paginate: Paginate) -> None:
    """Row 10 is now on the page that has been read; the count fits all the same, since the total fell by one, too."""
    outcome = drained(server, crawl(server, "/p16-rows-move?as=delete", paginate))
    assert outcome.numbers == [*range(10), *range(11, 25)]
    assert outcome.verdict[0] == "suspect"
    assert "shrunk" in outcome.verdict


@pytest.mark.parametrize(("how", "word"), [("insert", "overlap"), ("delete", "shrunk")])
@pytest.mark.parametrize("paginate", POSITIONS)
def test_p16_rows_move_between_two_workers(server: Hostile, paginate: Paginate, how: str, word: str) -> None:
    """The second one knows of the first page what a checkpoint holds."""
    source = crawl(server, f"/p16-rows-move?as={how}", paginate)
    first, *_ = drained(server, source).pages
    outcome = Outcome([first, *rest(source, [first]).pages])
    assert len(outcome.documents) == outcome.pages[-1].total
    assert outcome.verdict == ("suspect", word)


@pytest.mark.parametrize("how", ["insert", "delete"])
def test_p16_a_keyset_is_not_moved(server: Hostile, how: str) -> None:
    outcome = drained(server, crawl(server, f"/p16-rows-move?as={how}", {**KEYSET, "start": -1}, total=None))
    assert outcome.documents[:25] == ROWS
    assert len(outcome.documents) == (26 if how == "insert" else 25)
    assert outcome.verdict == COMPLETE


@pytest.mark.parametrize("total", ["meta.total", None])
@pytest.mark.parametrize("paginate", POSITIONS)
def test_p17_no_order(server: Hostile, paginate: Paginate, total: str | None) -> None:
    outcome = drained(server, crawl(server, "/p17-unstable-order", paginate, total=total))
    assert len(set(outcome.documents)) < len(outcome.documents) == 25
    assert outcome.verdict[0] == "suspect"


@pytest.mark.parametrize(("total", "word"), [("meta.total", "truncated"), (None, "suspect")])
@pytest.mark.parametrize("paginate", [OFFSET, PAGE])
def test_p25_a_feed_that_grows_at_its_front(server: Hostile, paginate: Paginate, total: str | None, word: str) -> None:
    """What was there comes, some of it twice; the new ones do not."""
    outcome = drained(server, crawl(server, "/p25-feed", paginate, total=total))
    assert set(outcome.documents) == set(ROWS)
    assert len(set(outcome.documents)) < len(outcome.documents)
    assert outcome.verdict[0] == word
    assert "overlap" in outcome.verdict


def test_p25_a_feed_that_is_read_by_the_last_id(server: Hostile) -> None:
    """What was there when it began."""
    feed = {**KEYSET, "param": "max_id"}
    outcome = drained(server, crawl(server, "/p25-feed", feed, total=None))
    assert outcome.documents == ROWS[::-1]
    assert outcome.verdict == COMPLETE


# P18 to P20: where the next page is


@pytest.mark.parametrize("base", [0, 1])
@pytest.mark.parametrize("paginate", [OFFSET, PAGE])
@pytest.mark.parametrize("query", ["", "&below=400"])
def test_p18_counting_from_0_or_1(server: Hostile, base: int, paginate: Paginate, query: str) -> None:
    assert_whole(drained(server, crawl(server, f"/p18-base?base={base}{query}", {**paginate, "start": base})))


@pytest.mark.parametrize("paginate", [OFFSET, PAGE])
def test_p18_counting_from_1_where_it_is_0(server: Hostile, paginate: Paginate) -> None:
    missed = 1 if paginate == OFFSET else 10
    outcome = drained(server, crawl(server, "/p18-base?base=0", {**paginate, "start": 1}))
    assert outcome.documents == ROWS[missed:]
    assert outcome.verdict == ("truncated", "below-total")


def test_p18_counting_from_0_where_it_is_1(server: Hostile) -> None:
    pages = drained(server, crawl(server, "/p18-base?base=1", {**PAGE, "start": 0}))
    assert_stopped(pages, 10, "it holds the very documents of the page before it")
    offsets = drained(server, crawl(server, "/p18-base?base=1", {**OFFSET, "start": 0}))
    assert offsets.documents == [*ROWS[:10], *ROWS[9:]]
    assert offsets.verdict[0] == "suspect"
    assert "above-total" in offsets.verdict
    refused = drained(server, crawl(server, "/p18-base?base=1&below=400", {**PAGE, "start": 0}))
    assert_stopped(refused, 0, "the server answered 400", "counting begins at 1")


LINKS = [
    pytest.param("", NEXT_URL, id="body"),
    pytest.param("&in=header", LINK_HEADER, id="header"),
    pytest.param("&in=object", NEXT_URL, id="object"),
    pytest.param("&in=object", {**NEXT_URL, "next": "meta.next.href"}, id="href"),
    pytest.param("&in=links", {"kind": "link_object", "next": "meta.next"}, id="links"),
]
each_link = pytest.mark.parametrize(("query", "paginate"), LINKS)


@pytest.fixture
def other() -> Generator[Hostile]:
    """Another origin."""
    with hostile() as served:
        yield served
        asyncio.run(served.is_idle())


@each_link
@pytest.mark.parametrize("how", ["query", "path", "dots", "scheme", "whole", "upper"])
def test_p19_a_link_that_stays_at_home(server: Hostile, how: str, query: str, paginate: Paginate) -> None:
    assert_whole(drained(server, crawl(server, f"/p19-link?as={how}{query}", paginate)))


@pytest.mark.parametrize(("query", "paginate"), [LINKS[2], LINKS[4]])
def test_p19_a_link_with_a_template(server: Hostile, query: str, paginate: Paginate) -> None:
    """HAL leaves `{&limit}` for the reader to fill in; nothing is a way to do that."""
    assert_whole(drained(server, crawl(server, f"/p19-link?as=template{query}", paginate)))


@each_link
@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("https", "the next page is said to be on another origin"),
        ("internal", "origins = ['http://127.0.0.1:9']"),
        ("file", ""),
    ],
)
def test_p19_a_link_that_leads_elsewhere(server: Hostile, how: str, said: str, query: str, paginate: Paginate) -> None:
    outcome = drained(server, crawl(server, f"/p19-link?as={how}{query}", paginate))
    assert_stopped(outcome, 10, said)
    assert len(server.asked()) == 1


@pytest.mark.invariant("S-2")
@each_link
def test_p19_a_link_to_another_origin(server: Hostile, other: Hostile, query: str, paginate: Paginate) -> None:
    path = f"/p19-link?as=other&to={other.url}{query}"
    outcome = drained(server, crawl(server, path, paginate))
    assert_stopped(outcome, 10, f"origins = ['{other.url}']")
    assert not other.asked()
    assert_whole(drained(server, crawl(server, path, paginate, origins=[other.url])))


@pytest.mark.invariant("S-2")
def test_p19_a_redirect(server: Hostile, other: Hostile) -> None:
    assert_whole(drained(server, crawl(server, "/p19-redirect", OFFSET)))
    path = f"/p19-redirect?to={other.url}"
    outcome = drained(server, crawl(server, path, OFFSET))
    assert_stopped(outcome, 0, f"origins = ['{other.url}']")
    assert not other.asked()
    assert_whole(drained(server, crawl(server, path, OFFSET, origins=[other.url])))


@pytest.mark.parametrize("query", ["", "?merge=1"])
def test_p19_a_link_that_is_a_post(server: Hostile, query: str) -> None:
    body = {"collections": ["p"], "limit": 10}
    source = crawl(server, f"/p19-post{query}", {"kind": "link_object"}, method="POST", body=body)
    assert_whole(drained(server, source))


def test_p20_several_continuations(server: Hostile) -> None:
    """Each page of the wiki once, of all its parts, and none on the way."""
    paginate = {"kind": "continue", "complete": "batchcomplete"}
    source = crawl(server, "/p20-several-continuations", paginate, documents="query.pages", key="pageid", total=None)
    outcome = drained(server, source)
    assert [json.loads(document) for document in outcome.documents] == [wiki(number) for number in range(5)]
    assert [len(page.documents) for page in outcome.pages] == [3, 2]
    assert outcome.verdict == COMPLETE


def wiki(number: int) -> dict[str, Any]:
    """A page of the wiki, whole; those with odd numbers are in no category."""
    names = ["title", "revisions", *(["categories"] if number % 2 == 0 else [])]
    return {"pageid": number, **{name: f"{name} of {number}" for name in names}}


# P24: odd cursors

VARIABLES = {"query": "{ things }", "variables": {"first": 4}}
PLACES = [
    pytest.param("", {"param": "cursor"}, {}, id="parameter"),
    pytest.param("", {"param": "json:startkey"}, {}, id="JSON in a parameter"),
    pytest.param("", {"param": "header:X-Cursor"}, {"headers": {"X-Place": "header"}}, id="header"),
    pytest.param("", {"param": "body:variables.after"}, {"method": "POST", "body": VARIABLES}, id="body"),
    pytest.param("", {"param": "form:cursor"}, {"method": "POST", "body": "a=b&c=%26"}, id="form"),
    pytest.param("/first={cursor}", {"param": "path:cursor", "start": ""}, {}, id="path"),
]


@pytest.mark.parametrize(("path", "paginate", "more"), PLACES)
def test_p24_odd_cursors_go_back_as_they_came(
    server: Hostile, path: str, paginate: Paginate, more: dict[str, Any]
) -> None:
    source = crawl(server, f"/p24-odd-cursors{path}", {**CURSOR, **paginate}, total=None, **more)
    assert_whole(drained(server, source))
