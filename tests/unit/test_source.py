"""Sources written in Python: the same by `async for` and by `for`, resumed from any cursor, safe as a crawl is."""

import asyncio
import gc
import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from pydantic import ValidationError

from pagefleet.errors import CrawlError, Stop
from pagefleet.page import Checkpoint, Document, Page
from pagefleet.pages import Pages, documents, pages
from pagefleet.source import Client, PythonSource, source
from tests.api import Api, document, say

closed: list[str] = []
"""What the generators below have closed."""


@source
async def numbers(client: Client, cursor: int | None, count: int) -> AsyncGenerator[Page]:
    """Two on a page; the cursor is the last number."""
    last = cursor or 0
    try:
        while last < count:
            last += 2
            yield Page([last - 1, last], cursor=last)
    finally:
        closed.append("numbers")


@source(key="id", rate="100/s")
async def things(client: Client, cursor: int | None, url: str, wait: float = 0) -> AsyncGenerator[Page]:
    """A collection by its offset."""
    offset = cursor or 0
    while found := await client.get_documents(
        f"{url}/c/things", "data", params={"count": 25, "offset": offset, "delay": wait if offset else 0}
    ):
        offset += len(found)
        yield Page(found, cursor=offset)


@source
async def everything(client: Client, cursor: None) -> AsyncGenerator[Page]:
    """Each kind of document."""
    yield Page([{"é": [1.0, None]}, "text", 7, None, True, b'{"as": 1.0, "it":"is"}', Document(b"[ ]")], cursor="a")


@source
async def misbehaving(client: Client, cursor: Any, how: str, url: str = "") -> AsyncGenerator[Page]:
    """One way or another."""
    match how:
        case "raises":
            yield Page([1], cursor=1)
            raise ValueError("of its own")
        case "gives no cursor":
            yield Page([1])
            yield Page([2], cursor=2)
        case "says it is the last":
            yield Page([1], cursor=1, is_last=True)
            yield Page([2], cursor=2, is_last=True)
        case "ends without a cursor":
            yield Page([1], cursor=1)
            yield Page([2])
        case "yields nothing":
            return
        case "yields what is no page":
            yield [1]  # type: ignore[misc]  # pyright: ignore[reportReturnType]
        case "yields what is no document":
            yield Page([object()], cursor=1)
        case _:
            yield Page([await client.get_json(url)], cursor=1)


def undecorated() -> None:
    """Not a source."""


def by_for(given: PythonSource) -> list[Document]:
    return list(documents(given))


def by_async_for(given: PythonSource) -> list[Document]:
    async def found() -> list[Document]:
        return [one async for one in documents(given)]

    return asyncio.run(found())


Drain = Callable[[PythonSource], list[Document]]


@pytest.fixture(params=[by_for, by_async_for])
def drain(request: pytest.FixtureRequest) -> Drain:
    found: Drain = request.param
    return found


def test_documents_and_ids(drain: Drain) -> None:
    found = drain(numbers(count=5))
    assert [one.json() for one in found] == [1, 2, 3, 4, 5, 6]
    assert [one.id for one in found] == ["1-0", "1-1", "2-0", "2-1", "3-0", "3-1"]


def test_over_http(server: Api, drain: Drain) -> None:
    assert drain(things(url=server.url)) == [document("things", number) for number in range(25)]
    times = [asked.at for asked in server.asked()]
    assert len(times) == 4
    assert (
        times[-1] - times[0] > 0.5 * 3 / 100
    )  # the budget paces what leaves; the first opens its connection on the way


def test_what_may_be_a_document(drain: Drain) -> None:
    written = [b'{"\xc3\xa9":[1.0,null]}', b'"text"', b"7", b"null", b"true", b'{"as": 1.0, "it":"is"}', b"[ ]"]
    assert drain(everything()) == written


def test_from_every_cursor_the_rest() -> None:
    given = numbers(count=7)
    whole = list(pages(given))
    assert [one.cursor for one in whole] == [2, 4, 6, 8, 8]
    for number, one in enumerate(whole[:-1], 1):
        rest = list(Pages(given, Checkpoint(number + 1, cursor=json.loads(json.dumps(one.cursor)))))
        assert rest == whole[number:]
    assert [one for page in pages(given, 4) for one in page.documents] == [b"5", b"6", b"7", b"8"]


def test_pages_are_filled_in() -> None:
    first, *_, last = pages(numbers(count=4))
    assert (first.documents, first.size, len(first.digest), first.is_last) == ([b"1", b"2"], 2, 24, False)
    assert (last.documents, last.cursor, last.is_last) == ([], 4, True)


# How it ends


@pytest.mark.parametrize(
    ("how", "found", "last"),
    [
        ("says it is the last", [b"1", b"2"], 2),
        ("ends without a cursor", [b"1", b"2"], None),
        ("yields nothing", [], None),
    ],
)
def test_the_end_is_where_the_generator_returns(how: str, found: list[bytes], last: int | None) -> None:
    whole = list(pages(misbehaving(how=how)))
    assert [one for page in whole for one in page.documents] == found
    assert [page.is_last for page in whole] == [False] * (len(whole) - 1) + [True]
    assert whole[-1].cursor == last


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("raises", "test_source:misbehaving raised ValueError: of its own"),
        (
            "gives no cursor",
            "test_source:misbehaving yields a page after one without a cursor; give each page its cursor",
        ),
        ("yields what is no page", "test_source:misbehaving raised AttributeError: 'list' object has no attribute"),
        (
            "yields what is no document",
            "test_source:misbehaving raised TypeError: Encoding objects of type object is unsup",
        ),
    ],
)
def test_faults(drain: Drain, how: str, expected: str) -> None:
    with pytest.raises(Stop) as stop:
        drain(misbehaving(how=how))
    assert expected in str(stop.value)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/c/x?fault=404", "/c/x?…: the server answered 404 'made to fail'"),
        ("/c/x?fault=html", "raised JSONDecodeError: "),
        (
            "/say?status=302&header=location: http://127.0.0.1:9/x?y",
            "redirected to http://127.0.0.1:9/x?…, another origin",
        ),
    ],
)
def test_faults_of_http(server: Api, drain: Drain, target: str, expected: str) -> None:
    with pytest.raises(Stop) as stop:
        drain(misbehaving(how="asks", url=server.url + target))
    assert expected in str(stop.value)


async def test_left_early_the_generator_is_closed(server: Api) -> None:
    closed.clear()
    async with documents(numbers(count=100)) as flow:
        await anext(flow)
    assert closed == ["numbers"]
    async with documents(things(url=server.url, wait=60)) as flow:
        await anext(flow)
        await server.has_been_asked(2)
    assert len(asyncio.all_tasks()) <= 2  # this one, and the one that runs the tests


async def test_a_wait_that_is_given_up_gives_up_the_request(server: Api) -> None:
    """Also where nobody closes it."""
    flow = pages(things(url=server.url, wait=60))
    await anext(flow)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await anext(flow)
    await server.is_idle()
    with pytest.raises(StopAsyncIteration):
        await anext(flow)


async def test_two_cannot_wait_for_the_next_page_at_once(server: Api) -> None:
    async with pages(things(url=server.url, wait=0.2)) as flow:
        await anext(flow)
        first = asyncio.create_task(flow.__anext__())
        await server.has_been_asked(2)
        with pytest.raises(RuntimeError, match="two at once"):
            await anext(flow)
        assert (await first).documents


async def test_left_without_closing_it_leaves_no_task(server: Api, caplog: pytest.LogCaptureFixture) -> None:
    async for _ in documents(things(url=server.url)):
        break
    gc.collect()
    await server.is_idle()
    assert len(asyncio.all_tasks()) <= 2  # this one, and the one that runs the tests
    assert not caplog.records


async def test_a_fault_that_comes_while_the_page_before_is_worked_on(server: Api) -> None:
    """It is told to whoever asks for the next one."""
    flow = pages(misbehaving(how="raises"))
    assert (await anext(flow)).documents == [b"1"]
    while len(asyncio.all_tasks()) > 2:  # this one, and the one that runs the tests  # noqa: ASYNC110
        await asyncio.sleep(0)
    with pytest.raises(Stop, match="of its own"):
        await anext(flow)
    with pytest.raises(StopAsyncIteration):
        await anext(flow)


def test_left_early_by_plain_for() -> None:
    closed.clear()
    for _ in documents(numbers(count=100)):
        break
    assert closed == ["numbers"]


async def test_plain_for_inside_of_a_loop_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match="inside of a running event loop: use `async for` there"):
        list(documents(numbers(count=4)))


# The client


def answered(given: PythonSource) -> Any:
    """What `asking` has found."""
    (found,) = documents(given)
    return found.json()


@source
async def asking(
    client: Client, cursor: Any, url: str, params: Any = None, headers: Any = None
) -> AsyncGenerator[Page]:
    """What one request brings."""
    response = await client.get(url, params=params, headers=headers)
    yield Page([{"status": response.status, "url": response.url, "body": response.body.decode()}], cursor=1)


def test_what_a_client_answers(server: Api) -> None:
    url = say(server.url, "[é]", status=206)
    assert answered(asking(url=url)) == {"status": 206, "url": url, "body": "[é]"}


def test_a_redirect_at_home_is_followed(server: Api) -> None:
    there = say(server.url, "there")
    assert answered(asking(url=say(server.url, status=307, headers={"location": there})))["body"] == "there"


def test_secrets_in_headers_only(server: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parameter may hold a cursor, which is the server's text."""
    monkeypatch.setenv("TOKEN", "hunter2")
    given = asking(url=f"{server.url}/say", params={"a": "env:TOKEN"}, headers={"authorization": "env:TOKEN"})
    found = answered(given)
    (asked,) = server.asked()
    assert asked.authorization == "hunter2"
    assert "hunter2" not in asked.target + repr(found)


@pytest.mark.invariant("S-1")
@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding", "connection", "a\r\nb", ""])
def test_a_request_ends_where_we_say_so(server: Api, name: str) -> None:
    """Crawls share connections: one that says it could have a part of its own request answered to another."""
    with pytest.raises(Stop, match=r"^sending the header .*(it is ours to say|write a header's name)"):
        answered(asking(url=f"{server.url}/say", headers={name: "7"}))
    assert server.asked() == []


# Descriptions


def test_a_description_is_found_by_its_path() -> None:
    given = numbers(count=5)
    assert given == PythonSource(function=f"{__name__}:numbers", arguments={"count": 5})
    assert PythonSource.model_validate_json(given.model_dump_json()) == given
    assert things(url="x").key == "id"
    assert things(url="x").rate == "100/s"
    assert numbers.__doc__ == "Two on a page; the cursor is the last number."


def test_ids_and_fingerprints() -> None:
    one, other = numbers(count=5), numbers(count=6)
    assert one.id.startswith("numbers-")
    assert len({one.id, other.id, everything().id}) == 3
    assert one.renamed("five").id == "five"
    assert one.renamed("five").fingerprint == one.fingerprint


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (
            "no.such.module:f",
            "importing the source no.such.module:f: ModuleNotFoundError: No module named 'no'; put it where",
        ),
        (f"{__name__}:absent", "has no attribute 'absent'; put it where"),
        (f"{__name__}:undecorated", "it is not decorated with @source"),
    ],
)
def test_what_cannot_be_imported(drain: Drain, function: str, expected: str) -> None:
    with pytest.raises(Stop) as stop:
        drain(PythonSource(function=function))
    assert expected in str(stop.value)


@pytest.mark.parametrize("function", ["numbers", "a:b:c", "a b:c", "os.path:", ":f", "a:f()", "a:1"])
def test_what_is_no_import_path(function: str) -> None:
    with pytest.raises(ValidationError, match="write module:function"):
        PythonSource(function=function)


def test_arguments_are_checked_where_it_is_called_and_where_it_runs() -> None:
    with pytest.raises(TypeError, match="missing a required argument: 'count'"):
        numbers()
    with pytest.raises(TypeError, match="got an unexpected keyword argument 'size'"):
        numbers(count=1, size=2)
    with pytest.raises(Stop, match=r"raised TypeError: .*'size'"):
        list(documents(PythonSource(function=f"{__name__}:numbers", arguments={"size": 2})))


def test_only_async_generators_are_sources() -> None:
    async def returning(client: Client, cursor: Any) -> list[Page]:
        return []

    with pytest.raises(CrawlError, match="it must be an async generator function; yield pages in it"):
        source(returning)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
