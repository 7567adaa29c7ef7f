"""What a crawl must come to when its API goes wrong, P21 to P23 and P26 to P30: answers that are no page.

P21  an error in 200                     all if it passes and `error` names it; else Stop, or `truncated` by the total
P22  a broken body                       all if it passes; else Stop
P23  a request for patience              all, after the time that was asked for, and no attempt is counted
P26  a token dies                        Stop; all the rest from the checkpoint, when there is a new one
P27  a page that is an error for ever    Stop, and all the rest from the checkpoint, when it is mended; where the size
                                         can be chosen all but the one document, and `truncated`
P28  a very large page                   all within `limits.body`; else Stop
P29  the same ids below several parents  all, and each says whose it is
P30  two readers of one crawl            all, for each
"""

import asyncio
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from pagefleet.pages import documents
from tests.hostile import ROWS, Hostile, hostile
from tests.hostile.outcome import CURSOR, OFFSET, PAGE, assert_stopped, assert_whole, crawl, drained


@pytest.fixture
def server() -> Generator[Hostile]:
    with hostile() as served:
        yield served
        asyncio.run(served.is_idle())


# P21 and P22: errors in 200, and broken bodies

ERRORS = ["alone", "null", "part"]


@pytest.mark.parametrize("how", ERRORS)
def test_p21_an_error_in_200_that_passes(server: Hostile, how: str) -> None:
    """Nothing of the page beside it counts."""
    outcome = drained(server, crawl(server, f"/p21-error-in-200?as={how}&times=1", CURSOR, error="error.message"))
    assert_whole(outcome)
    assert len(outcome.waits) == 1


@pytest.mark.parametrize(
    ("how", "said"), [("alone", "ratelimited"), ("null", "THROTTLED"), ("part", "1 of 3 shards failed")]
)
def test_p21_an_error_in_200_that_stays(server: Hostile, how: str, said: str) -> None:
    outcome = drained(server, crawl(server, f"/p21-error-in-200?as={how}", CURSOR, error="error.message"))
    assert_stopped(outcome, 10, "/p21-error-in-200?…", said, "at each of 3 attempts")


def test_p21_an_error_in_200_that_nobody_has_declared(server: Hostile) -> None:
    alone = drained(server, crawl(server, "/p21-error-in-200?as=alone", CURSOR))
    assert_stopped(alone, 10, "no 'data' in the page: an object with the members 'error', 'ok'")
    null = drained(server, crawl(server, "/p21-error-in-200?as=null", CURSOR))
    assert null.documents == ROWS[:10]
    assert null.verdict == ("truncated", "below-total")
    part = drained(server, crawl(server, "/p21-error-in-200?as=part", CURSOR))
    assert part.documents == [*ROWS[:13], *ROWS[20:]]
    assert part.verdict == ("truncated", "below-total")


@pytest.mark.parametrize("paginate", [CURSOR, OFFSET, PAGE])
def test_p21_a_page_for_people_with_200(server: Hostile, paginate: dict[str, Any]) -> None:
    outcome = drained(server, crawl(server, "/p21-error-in-200?as=html", paginate))
    assert_stopped(outcome, 10, "(text/html; charset=utf-8): the page is not JSON", "<!doctype html>")


CUT = ["connection", "length", "chunks", "close", "gzip", "gzip-cut", "half", "nothing"]


@pytest.mark.parametrize("how", CUT)
def test_p22_a_body_that_is_cut_in_passing(server: Hostile, how: str) -> None:
    outcome = drained(server, crawl(server, f"/p22-broken-body?as={how}&times=1", CURSOR))
    assert_whole(outcome)
    assert len(outcome.waits) == 1


@pytest.mark.parametrize("how", CUT)
def test_p22_a_body_that_is_cut_for_ever(server: Hostile, how: str) -> None:
    outcome = drained(server, crawl(server, f"/p22-broken-body?as={how}", CURSOR))
    assert_stopped(outcome, 10, "/p22-broken-body?…", "at each of 3 attempts")


@pytest.mark.invariant("S-5")
@pytest.mark.parametrize(
    ("how", "said"), [("comma", "not JSON"), ("nan", "not JSON"), ("control", "not JSON"), ("bytes", "not UTF-8")]
)
def test_p22_what_is_not_quite_json(server: Hostile, how: str, said: str) -> None:
    outcome = drained(server, crawl(server, f"/p22-broken-body?as={how}", CURSOR))
    assert_stopped(outcome, 10, "/p22-broken-body?…", said)


@pytest.mark.invariant("S-5")
def test_p22_half_an_emoji_is_json(server: Hostile) -> None:
    """And arrives as it was sent."""
    outcome = drained(server, crawl(server, "/p22-broken-body?as=surrogate", CURSOR))
    broken = [row.replace(rb"\ude00", b"") for row in ROWS[10:20]]
    assert outcome.documents == [*ROWS[:10], *broken, *ROWS[20:]]
    assert outcome.verdict == ("complete",)


LINES: dict[str, Any] = {"documents": None, "total": "header:X-Total"}
UNSEEN = ["length", "chunks", "gzip"]


@pytest.mark.parametrize("how", [*UNSEEN, "fine"])
def test_p22_lines_that_end_too_soon_in_passing(server: Hostile, how: str) -> None:
    """Each of them is whole, and yet it is not the end."""
    assert_whole(drained(server, crawl(server, f"/p22-broken-lines?as={how}&times=1", {"kind": "none"}, **LINES)))


@pytest.mark.parametrize("how", UNSEEN)
def test_p22_lines_that_end_too_soon_for_ever(server: Hostile, how: str) -> None:
    outcome = drained(server, crawl(server, f"/p22-broken-lines?as={how}", {"kind": "none"}, **LINES))
    assert_stopped(outcome, 0, "/p22-broken-lines?…", "at each of 3 attempts")


def test_p22_lines_that_end_too_soon_and_only_the_total_tells(server: Hostile) -> None:
    """A body whose end is that of the connection: HTTP cannot say that something is missing."""
    outcome = drained(server, crawl(server, "/p22-broken-lines?as=close", {"kind": "none"}, **LINES))
    assert outcome.numbers == [0, 1, 2]
    assert outcome.verdict == ("truncated", "below-total")


XML = {"format": "xml", "documents": "//record", "total": None, "key": None}


def test_p22_characters_that_xml_has_no_place_for(server: Hostile) -> None:
    source = crawl(server, "/p22-broken-xml?as=characters", {**CURSOR, "next": "//next"}, **XML)
    outcome = drained(server, source)
    texts = ["title 0", "abc", "title 2"]
    assert outcome.documents == [b'{"@id":"%d","title":["%s"]}' % (n, text.encode()) for n, text in enumerate(texts)]


@pytest.mark.invariant("S-6")
@pytest.mark.parametrize(("how", "said"), [("cut", "the page is not XML"), ("entity", "document type definition")])
def test_p22_what_is_no_xml_that_is_read(server: Hostile, how: str, said: str) -> None:
    outcome = drained(server, crawl(server, f"/p22-broken-xml?as={how}", {**CURSOR, "next": "//next"}, **XML))
    assert outcome.documents == [b'{"@id":"0","title":["title 0"]}']
    assert said in outcome.stop


# P23: requests for patience


@pytest.mark.invariant("L-4")
@pytest.mark.parametrize(
    "how",
    [
        "429-seconds",
        "429-date",
        "429-epoch",
        "429-epoch-ms",
        "429-delta",
        "429-ratelimit-reset",
        "429-ratelimit",
        "403-seconds",
        "403-epoch",
        "503-seconds",
    ],
)
@pytest.mark.parametrize("seconds", [7, 7200])
def test_p23_patience_for_as_long_as_is_asked_for(server: Hostile, how: str, seconds: int) -> None:
    """As often as it is asked for: that is no attempt."""
    outcome = drained(server, crawl(server, f"/p23-patience?as={how}&seconds={seconds}&times=3", CURSOR))
    assert_whole(outcome)
    assert [wait.is_source for wait in outcome.waits] == [True] * 3
    assert all(seconds - 2 <= wait.seconds <= seconds + 1 for wait in outcome.waits)


def test_p23_patience_for_as_long_as_seems_good(server: Hostile) -> None:
    """A 429 that says nothing: seconds, and longer each time."""
    outcome = drained(server, crawl(server, "/p23-patience?as=429&times=3", CURSOR))
    assert_whole(outcome)
    assert all(wait.is_source and 1 <= wait.seconds <= 60 for wait in outcome.waits)


def test_p23_503_is_a_passing_fault(server: Hostile) -> None:
    outcome = drained(server, crawl(server, "/p23-patience?as=503", CURSOR))
    assert_whole(outcome)
    assert [wait.is_source for wait in outcome.waits] == [False]


@pytest.mark.parametrize("how", ["403", "403-left"])
def test_p23_403_without_a_word_of_limits_is_a_refusal(server: Hostile, how: str) -> None:
    outcome = drained(server, crawl(server, f"/p23-patience?as={how}&seconds=7", CURSOR))
    assert_stopped(outcome, 10, "the server answered 403", "check the credentials")


# P26 and P27: what somebody has to mend


@pytest.mark.invariant("S-9")
def test_p26_a_token_dies(server: Hostile, tmp_path: Path) -> None:
    """It is looked up at each request, so a new one in its place is enough."""
    token = tmp_path / "token"
    source = crawl(server, "/p26-token-dies", OFFSET, headers={"Authorization": f"Bearer file:{token}"})
    token.write_text("hunter2-first\n")
    outcome = drained(server, source)
    assert_stopped(outcome, 20, "the server answered 401", "check the credentials")
    assert "hunter2" not in outcome.stop
    token.write_text("hunter2-second\n")
    rest = drained(server, source, outcome.pages[-1].cursor)
    assert [*outcome.documents, *rest.documents] == ROWS


@pytest.mark.parametrize("paginate", [CURSOR, OFFSET, PAGE])
def test_p27_a_poison_record(server: Hostile, paginate: dict[str, Any]) -> None:
    source = crawl(server, "/p27-poison-record", paginate)
    outcome = drained(server, source)
    assert_stopped(outcome, 10, "/p27-poison-record?…: the server answered 500, at each of 3 attempts")
    server.memory.values["mended"] = True
    rest = drained(server, source, outcome.pages[-1].cursor, is_forgotten=False)
    assert [*outcome.documents, *rest.documents] == ROWS


@pytest.mark.parametrize(
    "paginate", [{**OFFSET, "limit_param": "limit", "limit": 10}, {**PAGE, "size_param": "limit", "size": 10}]
)
def test_p27_a_poison_record_that_can_be_asked_for_alone(server: Hostile, paginate: dict[str, Any]) -> None:
    """All the others come, and the verdict says that it did not."""
    outcome = drained(server, crawl(server, "/p27-poison-record", paginate))
    assert outcome.numbers == [number for number in range(25) if number != 13]
    assert outcome.verdict == ("truncated", "below-total", "quarantined")


# P28 to P30


@pytest.mark.parametrize(("count", "size"), [(2000, 4096), (1, 8 * 1024**2)])
def test_p28_a_very_large_page(server: Hostile, count: int, size: int) -> None:
    path = f"/p28-large?documents={count}&bytes={size}"
    outcome = drained(server, crawl(server, path, {"kind": "none"}))
    assert [len(document) for document in outcome.documents] == [pytest.approx(size, abs=20)] * count
    assert outcome.verdict == ("complete",)
    small = {"attempts": 3, "body": count * size - 1}
    refused = drained(server, crawl(server, path, {"kind": "none"}, limits=small))
    assert_stopped(refused, 0, "the page is larger than limits.body", "ask for smaller ones")


def children(server: Hostile, query: str = "", **paginate: Any) -> Any:
    below = {
        "url": f"{server.url}/p29-parents/{{id}}/children{query}",
        "documents": "data",
        "key": "id",
        "include": {"parent": "id"},
        "paginate": {**PAGE, **paginate},
    }
    return crawl(server, "/p29-parents", {"kind": "none"}, each=below, total=None)


def child(parent: int, number: int) -> bytes:
    return b'{"parent":%d,"id": %d, "of": %d}' % (parent, number, parent)


def test_p29_the_same_ids_below_several_parents(server: Hostile) -> None:
    source = children(server)
    outcome = drained(server, source)
    assert outcome.documents == [child(parent, number) for parent in range(3) for number in range(3)]
    assert outcome.verdict == ("complete",)
    found = list(documents(source))
    assert [one.key for one in found] == ["0", "1", "2"] * 3
    assert len({one.id for one in found}) == 9


def test_p29_children_that_are_gone(server: Hostile) -> None:
    outcome = drained(server, children(server, "?gone=1"))
    assert outcome.documents == [child(0, number) for number in range(3)]
    assert "the server answered 404" in outcome.stop
    there = drained(server, children(server, "?gone=1", past_end=["404"]))
    assert there.documents == [child(parent, number) for parent in (0, 2) for number in range(3)]
    assert there.verdict == ("complete",)


async def test_p30_two_readers_of_one_crawl(server: Hostile) -> None:
    source = crawl(server, "/p03-constant-token", {**CURSOR, "empty": "end"})
    both = await asyncio.gather(*(_all(source) for _ in range(2)))
    assert both == [ROWS, ROWS]


async def _all(source: Any) -> list[bytes]:
    return [one async for one in documents(source)]
