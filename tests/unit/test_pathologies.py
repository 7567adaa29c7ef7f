"""What a crawl must come to when its API goes wrong, P1 to P12: the end, and what a page holds.

`all` is every row once, in order, and the verdict `complete`. `Stop` is what came before, once, an error that says what
to do, and a checkpoint that still points at the page. The endpoints are in `tests/hostile/`.

P1   the last page repeats the token     all if `more` is said, or `repeated = "end"`; else Stop behind the last row
P2   the repeated token is the end       all by `repeated = "end"`; else Stop behind the last row
P3   a constant token                    all, as long as the content goes on; Stop when it does not
P4   a cycle                             Stop where it closes, nothing twice
P5   the cursor is ignored               Stop at the second page, nothing twice
P6   behind the last page, the last      all by `pages`, or where the page before is the last one; by offset `suspect`
P7   an error behind the last page       all by a total that has been reached, or by `past_end`; else Stop
P8   an empty page in the middle         all by a cursor; by counting `truncated`, as the total says
P9   a short page in the middle          all; where rows were taken out behind the limit `suspect`
P10  fewer rows than asked for           all; where pages begin by the size that was asked for `truncated` or `suspect`
P11  a cap on depth                      an error: Stop, also where `past_end` names it; else `truncated`
P12  a total that is wrong               missing, or no number: `suspect`; too high: `truncated`; too low: `suspect`
"""

import asyncio
from collections.abc import Generator
from urllib.parse import unquote

import pytest

from tests.hostile import ROWS, Hostile, hostile
from tests.hostile.outcome import (
    COMPLETE,
    CURSOR,
    NEXT_URL,
    OFFSET,
    PAGE,
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


# P1 to P4: tokens that come again

MORE = {**CURSOR, "more": "meta.more"}
ENDS = {**CURSOR, "repeated": "end"}


@pytest.mark.parametrize(
    ("query", "paginate"),
    [
        ("", MORE),
        ("?then=empty", MORE),
        ("?url=1", {**NEXT_URL, "more": "meta.more"}),
        ("", ENDS),
        ("?then=empty", ENDS),
        ("?then=empty", {**CURSOR, "empty": "end"}),
    ],
)
def test_p01_the_last_page_repeats_the_token(server: Hostile, query: str, paginate: Paginate) -> None:
    assert_whole(drained(server, crawl(server, f"/p01-last-page-repeats-the-token{query}", paginate)))


@pytest.mark.parametrize(
    ("query", "paginate", "rows"), [("", CURSOR, 25), ("?then=empty", CURSOR, 25), ("?url=1", NEXT_URL, 20)]
)
def test_p01_the_last_page_repeats_the_token_and_nobody_has_said_what_that_means(
    server: Hostile, query: str, paginate: Paginate, rows: int
) -> None:
    """A token may stay the same, so its page counts; a URL that names itself makes its own page doubtful."""
    outcome = drained(server, crawl(server, f"/p01-last-page-repeats-the-token{query}", paginate))
    assert_stopped(outcome, rows, "/p01-last-page-repeats-the-token?…: it ", "check the crawl's paginate")


SOLR = {"kind": "cursor", "next": "meta.nextCursorMark", "param": "cursorMark", "start": "*"}


def test_p02_the_repeated_token_is_the_end(server: Hostile) -> None:
    solr = crawl(server, "/p02-repeated-token-is-the-end", {**SOLR, "repeated": "end"})
    assert_whole(drained(server, solr))
    assert [unquote(asked.target.rpartition("=")[2]) for asked in server.asked()] == ["*", "AoE10", "AoE20", "AoE25"]


def test_p02_the_repeated_token_is_the_end_and_nobody_has_said_so(server: Hostile) -> None:
    outcome = drained(server, crawl(server, "/p02-repeated-token-is-the-end", SOLR))
    assert_stopped(outcome, 25, "it names itself as the next page", "check the crawl's paginate")


@pytest.mark.parametrize("paginate", [{**CURSOR, "empty": "end"}, {**CURSOR, "empty": "end", "repeated": "goes-on"}])
def test_p03_a_constant_token_goes_on(server: Hostile, paginate: Paginate) -> None:
    assert_whole(drained(server, crawl(server, "/p03-constant-token", paginate)))


def test_p03_a_constant_token_that_stands_still(server: Hostile) -> None:
    outcome = drained(server, crawl(server, "/p03-constant-token?stuck=1", {**CURSOR, "empty": "end"}))
    assert_stopped(outcome, 10, "it holds the very documents of the page before it")


@pytest.mark.parametrize("total", ["meta.total", None])
@pytest.mark.parametrize(("query", "paginate"), [("", CURSOR), ("?as=url", NEXT_URL)])
def test_p04_a_cycle(server: Hostile, query: str, paginate: Paginate, total: str | None) -> None:
    """No page is like the one before it."""
    outcome = drained(server, crawl(server, f"/p04-cycle{query}", paginate, total=total))
    assert_stopped(outcome, 25, "round in a circle", "check the crawl's paginate")


@pytest.mark.parametrize(("query", "paginate"), [("?empty=1", CURSOR), ("?empty=1&as=url", NEXT_URL)])
def test_p04_a_cycle_of_empty_pages(server: Hostile, query: str, paginate: Paginate) -> None:
    outcome = drained(server, crawl(server, f"/p04-cycle{query}", paginate))
    assert_stopped(outcome, 10, "round in a circle")


# P5 to P7: behind the last page


@pytest.mark.parametrize("paginate", [OFFSET, PAGE, CURSOR])
@pytest.mark.parametrize("total", ["meta.total", None])
def test_p05_a_server_that_ignores_where_it_is_asked(server: Hostile, paginate: Paginate, total: str | None) -> None:
    outcome = drained(server, crawl(server, "/p05-ignores-where-it-is-asked", paginate, total=total))
    assert_stopped(outcome, 10, "it holds the very documents of the page before it", "check the crawl's paginate")


@pytest.mark.parametrize(
    ("paginate", "total", "asked"), [({**PAGE, "pages": "meta.pages"}, None, 3), (PAGE, "meta.total", 4)]
)
def test_p06_behind_the_last_page_is_the_last_page(
    server: Hostile, paginate: Paginate, total: str | None, asked: int
) -> None:
    assert_whole(drained(server, crawl(server, "/p06-clamps-to-the-last-page", paginate, total=total)))
    assert len(server.asked()) == asked


def test_p06_behind_the_last_page_is_the_last_page_and_nobody_knows_how_many_there_are(server: Hostile) -> None:
    """It may as well be a server that has got stuck there."""
    outcome = drained(server, crawl(server, "/p06-clamps-to-the-last-page", PAGE, total=None))
    assert outcome.documents == ROWS
    assert outcome.verdict == ("suspect", "clamped")


@pytest.mark.parametrize("total", ["meta.total", None])
def test_p06_behind_the_last_offset_are_the_last_rows(server: Hostile, total: str | None) -> None:
    """The third page is the last ten rows, five of which were there; its next one is that page again."""
    outcome = drained(server, crawl(server, "/p06-clamps-to-the-last-page", OFFSET, total=total))
    assert outcome.numbers == [*range(20), *range(15, 25)]
    assert outcome.verdict[0] == "suspect"


STATUSES = [204, 400, 404, 416, 422]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("paginate", [OFFSET, PAGE])
def test_p07_an_error_behind_all_that_was_declared(server: Hostile, paginate: Paginate, status: int) -> None:
    assert_whole(drained(server, crawl(server, f"/p07-past-the-end-is-an-error?status={status}", paginate)))


@pytest.mark.parametrize("status", [*STATUSES, 403, 410, 500])
@pytest.mark.parametrize("text", ["", " rest_post_invalid_page_number"])
def test_p07_an_error_that_is_declared_to_be_the_end(server: Hostile, status: int, text: str) -> None:
    paginate = {**PAGE, "past_end": [f"{status}{text if status != 204 else ''}"]}
    outcome = drained(server, crawl(server, f"/p07-past-the-end-is-an-error?status={status}", paginate, total=None))
    assert_whole(outcome)


@pytest.mark.parametrize("status", STATUSES[1:])
@pytest.mark.parametrize("past_end", [[], ["410"], ["400 no such", "404 no such", "416 no such", "422 no such"]])
def test_p07_an_error_behind_the_last_page_that_nobody_has_declared(
    server: Hostile, status: int, past_end: list[str]
) -> None:
    paginate = {**OFFSET, "past_end": past_end}
    outcome = drained(server, crawl(server, f"/p07-past-the-end-is-an-error?status={status}", paginate, total=None))
    assert_stopped(outcome, 25, f"the server answered {status} ", "rest_post_invalid_page_number")


@pytest.mark.parametrize("paginate", [CURSOR, NEXT_URL])
def test_p07_204_is_a_page_without_documents(server: Hostile, paginate: Paginate) -> None:
    """ADP: the last page leads on to one that is not there."""
    path = f"/p07-past-the-end-is-an-error?status=204&leads=1{'&url=1' if paginate == NEXT_URL else ''}"
    assert_whole(drained(server, crawl(server, path, paginate)))


# P8 to P10: empty and short pages


@pytest.mark.parametrize("total", ["meta.total", None])
def test_p08_an_empty_page_before_others(server: Hostile, total: str | None) -> None:
    """A cursor says that there is more."""
    assert_whole(drained(server, crawl(server, "/p08-empty-page", CURSOR, total=total)))


def test_p08_an_empty_page_is_the_end_if_that_is_said(server: Hostile) -> None:
    """Crossref: behind the last page comes an empty one, with a cursor for another."""
    crossref = {**CURSOR, "empty": "end"}
    assert_whole(drained(server, crawl(server, "/p08-empty-page?last=1", crossref)))
    outcome = drained(server, crawl(server, "/p08-empty-page", crossref))
    assert outcome.numbers == list(range(10))
    assert outcome.verdict == ("truncated", "below-total")


@pytest.mark.parametrize("paginate", [OFFSET, PAGE])
def test_p08_an_empty_page_for_ever_where_pages_are_counted(server: Hostile, paginate: Paginate) -> None:
    outcome = drained(server, crawl(server, "/p08-empty-page", paginate))
    assert outcome.numbers == list(range(10))
    assert outcome.verdict == ("truncated", "below-total")


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_p08_an_empty_page_for_ever_however_few_attempts_there_are(server: Hostile, attempts: int) -> None:
    outcome = drained(server, crawl(server, "/p08-empty-page", OFFSET, limits={"attempts": attempts}))
    assert outcome.numbers == list(range(10))
    assert outcome.verdict == ("truncated", "below-total")


@pytest.mark.parametrize("paginate", [OFFSET, PAGE])
def test_p08_an_empty_page_in_passing(server: Hostile, paginate: Paginate) -> None:
    """arXiv: the same page, asked for once more, holds its documents."""
    assert_whole(drained(server, crawl(server, "/p08-empty-page?times=1", paginate)))


@pytest.mark.parametrize("paginate", [OFFSET, PAGE, CURSOR])
@pytest.mark.parametrize("total", ["meta.total", None])
def test_p09_a_short_page(server: Hostile, paginate: Paginate, total: str | None) -> None:
    assert_whole(drained(server, crawl(server, "/p09-short-page", paginate, total=total)))


def test_p09_a_short_page_since_rows_were_taken_out(server: Hostile) -> None:
    """The server counts the rows that it does not show, so some come again."""
    outcome = drained(server, crawl(server, "/p09-short-page?as=filtered", OFFSET))
    assert len(outcome.documents) > len(set(outcome.documents))
    assert outcome.verdict[0] == "suspect"
    assert "above-total" in outcome.verdict


HUNDRED = [
    {**OFFSET, "limit_param": "limit", "limit": 100},
    {**PAGE, "size_param": "limit", "size": 100},
    CURSOR,
]


@pytest.mark.parametrize("paginate", HUNDRED)
@pytest.mark.parametrize("total", ["meta.total", None])
def test_p10_fewer_rows_than_asked_for(server: Hostile, paginate: Paginate, total: str | None) -> None:
    """Whether pages begin 10 rows apart or 100 is nowhere to be seen without a total."""
    outcome = drained(server, crawl(server, "/p10-capped-size?limit=100", paginate, total=total))
    assert outcome.documents == ROWS
    is_known = total or paginate["kind"] != "page"
    assert outcome.verdict == (COMPLETE if is_known else ("suspect", "short-pages"))


@pytest.mark.parametrize(
    ("total", "verdict"),
    [("meta.total", ("truncated", "below-total")), (None, ("suspect", "short-pages"))],
)
def test_p10_fewer_rows_than_asked_for_and_pages_that_begin_by_what_was_asked_for(
    server: Hostile, total: str | None, verdict: tuple[str, ...]
) -> None:
    """Pages begin 15 rows apart and hold 10; the others can be had only by asking for pages of 10."""
    skips = crawl(server, "/p10-capped-size?as=skips", {**PAGE, "size_param": "limit", "size": 15}, total=total)
    outcome = drained(server, skips)
    assert outcome.numbers == [*range(10), *range(15, 25)]
    assert outcome.verdict == verdict
    mended = crawl(server, "/p10-capped-size?as=skips", {**PAGE, "size_param": "limit", "size": 10}, total=total)
    assert_whole(drained(server, mended))


# P11 and P12: caps, and totals


@pytest.mark.parametrize("paginate", [OFFSET, PAGE, CURSOR])
@pytest.mark.parametrize("total", ["meta.total", None])
def test_p11_a_cap_on_depth_that_is_an_error(server: Hostile, paginate: Paginate, total: str | None) -> None:
    outcome = drained(server, crawl(server, "/p11-depth-cap?as=400", paginate, total=total))
    assert_stopped(outcome, 20, "the server answered 400", "Result window is too large")


def test_p11_a_cap_on_depth_that_is_taken_for_the_end(server: Hostile) -> None:
    """`past_end` names the very error; the total tells."""
    outcome = drained(server, crawl(server, "/p11-depth-cap?as=400", {**OFFSET, "past_end": ["400"]}))
    assert outcome.numbers == list(range(20))
    assert outcome.verdict == ("truncated", "below-total")


@pytest.mark.parametrize(
    ("how", "paginate"), [("empty", OFFSET), ("empty", PAGE), ("empty", CURSOR), ("silent", CURSOR)]
)
def test_p11_a_cap_on_depth_that_is_not_said(server: Hostile, how: str, paginate: Paginate) -> None:
    paginate = {**paginate, "empty": "end"} if paginate == CURSOR else paginate
    outcome = drained(server, crawl(server, f"/p11-depth-cap?as={how}", paginate))
    assert outcome.numbers == list(range(20))
    assert outcome.verdict == ("truncated", "below-total")


@pytest.mark.parametrize(("how", "paginate"), [("empty", OFFSET), ("empty", PAGE), ("silent", CURSOR)])
def test_p11_a_cap_on_depth_that_the_crawl_knows_of(server: Hostile, how: str, paginate: Paginate) -> None:
    """Without a total, `cap` is what tells."""
    outcome = drained(server, crawl(server, f"/p11-depth-cap?as={how}", paginate, total=None, cap=20))
    assert outcome.numbers == list(range(20))
    assert outcome.verdict == ("truncated", "at-cap")


@pytest.mark.parametrize("paginate", [OFFSET, PAGE, CURSOR])
@pytest.mark.parametrize(
    ("how", "verdict"),
    [
        ("text", COMPLETE),
        ("first", COMPLETE),
        ("missing", ("suspect", "no-total")),
        ("capped", ("suspect", "no-total")),
        ("unknown", ("suspect", "no-total")),
        ("high", ("truncated", "below-total")),
        ("low", ("suspect", "above-total")),
        ("drifting", COMPLETE),
    ],
)
def test_p12_a_total_that_is_wrong(server: Hostile, paginate: Paginate, how: str, verdict: tuple[str, ...]) -> None:
    outcome = drained(server, crawl(server, f"/p12-total?as={how}", paginate))
    assert outcome.documents == ROWS
    assert outcome.verdict == verdict


def test_p12_a_total_that_is_that_of_the_page(server: Hostile) -> None:
    outcome = drained(server, crawl(server, "/p12-total?as=page", CURSOR))
    assert outcome.documents == ROWS
    assert outcome.verdict == ("suspect", "above-total", "shrunk")


# All of them


SOUND = [
    ("/p01-last-page-repeats-the-token", MORE),
    ("/p02-repeated-token-is-the-end", {**SOLR, "repeated": "end"}),
    ("/p06-clamps-to-the-last-page", PAGE),
    ("/p07-past-the-end-is-an-error", OFFSET),
    ("/p08-empty-page", CURSOR),
    ("/p09-short-page", PAGE),
    ("/p10-capped-size", HUNDRED[0]),
    ("/p12-total?as=first", OFFSET),
]


@pytest.mark.parametrize(("path", "paginate"), SOUND)
def test_from_every_checkpoint_comes_the_rest(server: Hostile, path: str, paginate: Paginate) -> None:
    source = crawl(server, path, paginate)
    outcome = drained(server, source)
    assert_whole(outcome)
    for number in range(1, len(outcome.pages)):
        before = outcome.pages[:number]
        found = rest(source, before)
        assert found.stop == ""
        assert [document for page in (*before, *found.pages) for document in page.documents] == ROWS
        assert [page.doubt for page in found.pages] == [page.doubt for page in outcome.pages[number:]]
