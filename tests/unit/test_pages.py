"""`pages()` and `documents()` against a real server, by `async for` and by `for`."""

import asyncio
import random
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest

from pagefleet.crawl import Crawl
from pagefleet.errors import Stop
from pagefleet.limits import Limits
from pagefleet.page import Document, Page
from pagefleet.pages import documents, pages
from tests.api import Api, api, description, document

STYLES = ["offset", "page", "cursor", "next_url", "link_header"]


def crawl(
    server: Api, name: str = "x", style: str = "offset", *, more: dict[str, Any] | None = None, **params: Any
) -> Crawl:
    return Crawl.model_validate({**description(server.url, name, style, **params), **(more or {})})


def by_for(source: Crawl) -> list[Document]:
    return list(documents(source))


def by_async_for(source: Crawl) -> list[Document]:
    async def found() -> list[Document]:
        return [one async for one in documents(source)]

    return asyncio.run(found())


Drain = Callable[[Crawl], list[Document]]


@pytest.fixture(params=[by_for, by_async_for])
def drain(request: pytest.FixtureRequest) -> Drain:
    found: Drain = request.param
    return found


@pytest.fixture
def impatience() -> Generator[None]:
    """A seed with which the first two waits between attempts are short."""
    random.seed(next(seed for seed in range(10_000) if is_short(random.Random(seed))))
    yield
    random.seed()


def is_short(dice: random.Random) -> bool:
    return dice.uniform(0, 1) < 0.05 and dice.uniform(0, 2) < 0.05


# Documents


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("count", [0, 9, 10, 25])
def test_the_servers_documents_in_order(server: Api, drain: Drain, style: str, count: int) -> None:
    found = drain(crawl(server, style=style, count=count))
    assert found == [document("x", number) for number in range(count)]
    assert [one.id for one in found] == [f"{number // 10 + 1}-{number % 10}" for number in range(count)]


async def test_pages_by_both(server: Api) -> None:
    """Plain `for` works inside of a running event loop, too."""
    source = crawl(server, style="cursor", count=25)
    first, second = [one async for one in pages(source)], list(pages(source))
    assert [plain(one) for one in first] == [plain(one) for one in second]
    assert [one.is_last for one in first] == [False, False, True]
    assert [(one.total, one.status) for one in first] == [(25, 200)] * 3
    assert all(one.size > sum(map(len, one.documents)) and one.seconds > 0 for one in first)
    assert list(documents(source)) == [one async for one in documents(source)]


def plain(page: Page) -> tuple[Any, ...]:
    return page.documents, page.cursor, page.total, page.size, page.digest, page.is_last


async def test_from_a_cursor_on(server: Api) -> None:
    source = crawl(server, style="cursor", count=25)
    (first, *_) = list(pages(source))
    rest = [document("x", number) for number in range(10, 25)]
    assert [one for page in pages(source, first.cursor) for one in page.documents] == rest
    assert [one async for page in pages(source, first.cursor) for one in page.documents] == rest


def test_plain_for_goes_on_where_it_was_left(server: Api) -> None:
    flow = documents(crawl(server, count=25))
    first = [next(flow) for _ in range(12)]
    assert [*first, *flow] == [document("x", number) for number in range(25)]
    assert [one.id for one in first[-2:]] == ["2-0", "2-1"]
    assert first[3].key == "3"
    flow.close()


# What is on its way


@contextmanager
def nothing_left() -> Generator[None]:
    """No task but those of before."""
    before = asyncio.all_tasks()
    yield
    assert asyncio.all_tasks() == before


async def test_the_next_page_is_on_its_way_while_this_one_is_used(server: Api) -> None:
    async with pages(crawl(server, count=50)) as flow:
        for number in range(1, 5):
            await anext(flow)
            await server.has_been_asked(number + 1)
            assert len(server.asked()) == number + 1


def test_plain_for_asks_when_it_is_its_turn(server: Api) -> None:
    flow = iter(pages(crawl(server, count=50)))
    next(flow)
    assert len(server.asked()) == 1


async def test_one_connection_does(server: Api) -> None:
    """Keep-alive: a client that opens one for each page is slow, and looks like an attack."""
    async with pages(crawl(server, count=100)) as flow:
        async for _ in flow:
            assert server.connections == 1


async def test_nothing_is_left_when_it_is_left_early(server: Api) -> None:
    slow = crawl(server, style="next_url", count=100, origin=f"{server.url}/say?delay=60&of=")
    with nothing_left():
        async with documents(slow) as flow:
            await anext(flow)
            await server.has_been_asked(2)
            assert server.connections == 1
    with pytest.raises(StopAsyncIteration):
        await anext(flow)


async def test_nothing_is_left_when_nothing_was_asked(server: Api) -> None:
    with nothing_left():
        async with documents(crawl(server)):
            pass
        flow = pages(crawl(server))
        await flow.aclose()
        await flow.aclose()
    assert not server.asked()


async def test_nothing_is_left_at_the_end(server: Api) -> None:
    with nothing_left():
        assert len([one async for one in documents(crawl(server, count=25))]) == 25
        await server.is_idle()


async def test_nothing_is_left_when_it_is_cancelled(server: Api) -> None:
    async def read() -> None:
        async with documents(crawl(server, delay=60)) as flow:
            await anext(flow)

    with nothing_left():
        task = asyncio.create_task(read())
        await server.has_been_asked(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def test_nothing_is_left_when_a_plain_for_is_left_early(server: Api) -> None:
    for _ in documents(crawl(server, count=100)):
        break


async def test_two_at_once(server: Api) -> None:
    both = await asyncio.gather(*(_all(crawl(server, name, count=35)) for name in ("a", "b")))
    assert [one[-1] for one in both] == [document("a", 34), document("b", 34)]


async def _all(source: Crawl) -> list[bytes]:
    return [one async for one in documents(source)]


# Faults


@pytest.mark.usefixtures("impatience")
@pytest.mark.parametrize("fault", ["500", "503", "hangup"])
def test_twice_and_then_fine(server: Api, drain: Drain, fault: str) -> None:
    source = crawl(server, style="next_url", count=5, fault=fault, times=2)
    assert drain(source) == [document("x", number) for number in range(5)]
    assert len(server.asked()) == 3


@pytest.mark.parametrize("after", [{"after": 1}, {"after_date": 1.9}])
def test_a_server_that_asks_for_patience_gets_it(server: Api, drain: Drain, after: dict[str, float]) -> None:
    limits = {"limits": {"attempts": 1}}
    assert len(drain(crawl(server, "x", "next_url", more=limits, count=5, fault=429, times=1, **after))) == 5
    first, second = server.asked()
    assert 0.99 < second.at - first.at < 10


@pytest.mark.usefixtures("impatience")
def test_attempts_end(server: Api, drain: Drain) -> None:
    with pytest.raises(Stop) as stop:
        drain(crawl(server, fault=500, more={"limits": {"attempts": 3}}))
    place = f"fetching {server.url}/c/x?…"
    assert str(stop.value) == f"{place}: the server answered 500, at each of 3 attempts; try again later"
    assert len(server.asked()) == 3


@pytest.mark.parametrize(
    ("params", "more", "expected"),
    [
        ({"fault": "404"}, {}, "the server answered 404 'made to fail'; check the crawl's url"),
        (
            {"fault": "html"},
            {},
            "(text/html; charset=utf-8): the page is not JSON (JSON is malformed: invalid character",
        ),
        ({"fault": "truncated"}, {}, "(application/json): the page is not JSON (Input data was truncated)"),
        ({"fault": "large"}, {"limits": {"body": 10_000}}, "the page is larger than limits.body = 10000 bytes"),
        ({"fault": "bomb"}, {"limits": {"body": 10_000}}, "the page is larger than limits.body = 10000 bytes"),
        (
            {"fault": "stuck"},
            {},
            "it holds the very documents of the page before it, so the server ignores the cursor 10",
        ),
        (
            {"fault": "drip"},
            {"limits": {"seconds": 0.2, "attempts": 1}},
            "no whole answer within limits.seconds = 0.2, at",
        ),
        ({}, {"documents": "items"}, "no 'items' in the page: an object with the members 'meta', 'data'; correct the"),
        ({}, {"documents": "meta"}, "documents='meta' is an object with the members 'total', not an array"),
    ],
)
def test_what_stops_a_crawl(
    server: Api, drain: Drain, params: dict[str, str], more: dict[str, Any], expected: str
) -> None:
    with pytest.raises(Stop) as stop:
        drain(crawl(server, more={"total": None, "paginate": {"kind": "offset"}, **more}, **params))
    assert expected in str(stop.value)
    assert f"{server.url}/c/x" in str(stop.value)


async def test_documents_before_the_fault_arrive(server: Api) -> None:
    """Then the fault, then nothing: a page that failed cannot be mistaken for the end."""
    source = crawl(server, style="next_url", count=50, origin=f"{server.url}/nowhere")
    first = [document("x", number) for number in range(10)]
    with nothing_left():
        ahead, plain = documents(source), iter(documents(source))
        assert [await anext(ahead) for _ in range(10)] == first
        assert [next(plain) for _ in range(10)] == first
        with pytest.raises(Stop, match="the server answered 404"):
            await anext(ahead)
        with pytest.raises(StopAsyncIteration):
            await anext(ahead)
        with pytest.raises(Stop, match="the server answered 404"):
            next(plain)


# Origins and credentials


@pytest.fixture
def other() -> Generator[Api]:
    with api() as served:
        yield served
        asyncio.run(served.is_idle())


def authorized(monkeypatch: pytest.MonkeyPatch, **more: Any) -> dict[str, Any]:
    monkeypatch.setenv("TOKEN", "hunter2")
    return {"headers": {"Authorization": "Bearer env:TOKEN"}, "params": {"key": "env:TOKEN"}, **more}


@pytest.mark.invariant("S-1")
def test_credentials_stay_at_home(server: Api, other: Api, drain: Drain, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server echoes the whole query in its next links, the secret with it."""
    more = authorized(monkeypatch, origins=[other.url])
    found = drain(crawl(server, style="next_url", count=25, origin=other.url, more=more))
    assert found == [document("x", number) for number in range(25)]
    assert [asked.authorization for asked in server.asked()] == ["Bearer hunter2"]
    assert "hunter2" in server.asked()[0].target
    assert len(other.asked()) == 2
    assert "hunter2" not in repr(other.asked())


@pytest.mark.invariant("S-2")
def test_an_origin_that_is_not_listed(server: Api, other: Api, drain: Drain, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Stop, match="the next page is said to be on another origin") as stop:
        drain(crawl(server, style="link_header", count=25, origin=other.url, more=authorized(monkeypatch)))
    assert f"origins = ['{other.url}']" in str(stop.value)
    assert "hunter2" not in str(stop.value)
    assert not other.asked()


@pytest.mark.invariant("S-8")
async def test_secrets_are_in_no_page(server: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    source = crawl(server, style="next_url", count=25, more=authorized(monkeypatch))
    async for page in pages(source):
        assert "hunter2" not in repr(page)
    assert all("hunter2" in asked.target for asked in server.asked())
    assert "hunter2" not in repr(source)


# Budgets


def test_a_rate_is_kept(server: Api, drain: Drain) -> None:
    drain(crawl(server, count=100, more={"rate": "50/s"}))
    times = [asked.at for asked in server.asked()]
    assert len(times) == 11
    assert times[-1] - times[0] > 0.9 * 10 / 50


def test_limits_have_defaults_that_no_api_reaches() -> None:
    assert Limits() == Limits(backlog=100_000, body=67_108_864, seconds=60, attempts=5)


# Whether they are all


@pytest.mark.parametrize(
    ("style", "paginate", "expected"),
    [
        ("offset", {"kind": "offset"}, "complete"),
        ("cursor", {"kind": "none"}, "truncated: 10 documents, but the source declared 25"),
        ("link_header", {"kind": "next_url"}, "truncated: 10 documents, but the source declared 25"),
    ],
)
async def test_documents_say_whether_they_are_all(
    server: Api, style: str, paginate: dict[str, str], expected: str
) -> None:
    crawl = Crawl.model_validate({**description(server.url, "v", style, count=25, size=10), "paginate": paginate})
    by_async_for, by_for = documents(crawl), documents(crawl)
    async for _ in by_async_for:
        pass
    for _ in by_for:
        pass
    assert str(by_async_for.verdict) == str(by_for.verdict) == expected
