"""The append-only file of one commit is cut at every byte, as a power loss cuts it, and Redis starts twice after it.

A Redis of our own is repaired before each start: then a commit is there or is not. One that somebody else runs may not
be: then it executes what is left of the commit at its second start, together with the next transaction, and that must
change nothing either.
"""

import asyncio
import os
import re
import shutil
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pagefleet.embedded import embedded
from pagefleet.embedded import server as program
from pagefleet.embedded.home import Home
from pagefleet.keys import DUE, QUEUE, SliceKeys, crawl
from pagefleet.scripts import Ending
from tests.redis import scenes
from tests.redis.actors import Case, case
from tests.redis.scenes import Scene
from tests.redis.servers import at_hand

SIZES = (2, 3, 2)
BEGIN = b"*1\r\n$5\r\nMULTI\r\n"
AT_ONCE = 6


@pytest.fixture(params=list(at_hand()))
def server(request: pytest.FixtureRequest) -> Path:
    return at_hand()[request.param]


def append_only_file(directory: Path) -> Path:
    (file,) = [*directory.glob("appendonly.aof"), *directory.glob("appendonlydir/*.incr.aof")]
    return file


@asynccontextmanager
async def opened(directory: Path, server: Path) -> AsyncGenerator[Case]:
    """The crawl in this directory's Redis."""
    async with embedded(directory, server=server) as url, case(url, *SIZES) as c:
        yield c


async def written(directory: Path, server: Path, pages: int = 2, ending: Ending = "") -> bytes:
    """A crawl whose last transaction is the commit of this page; answers what is in the file before that."""
    async with opened(directory, server) as c:
        await c.enqueue()
        hand = await c.lease()
        for _ in range(pages - 1):
            await c.commit(hand)
        await c.call("ZADD", QUEUE, 1, "another:0:1")
        await c.commit(hand, ending)
    file = append_only_file(directory).read_bytes()
    return file[: file.rindex(BEGIN)]


async def restart_twice(directory: Path, server: Path) -> None:
    """With a commit between the starts; then the crawl is brought to its end."""
    async with opened(directory, server) as c:
        # What is answered is written: else a write waits while the disk is busy, and the kill below takes it along.
        await c.call("CONFIG", "SET", "appendfsync", "always")
        page, _ = await c.position()
        await judge(c)
        await take_over(c, page)
        os.kill(int((await c.redis.info("server"))["process_id"]), signal.SIGKILL)
    async with opened(directory, server) as c:
        assert await c.position() == (page + 1, 0)
        await judge(c)
        await take_over(c, page + 1)
        if await c.state() != "finished":
            await take_over(c, page + 2)
        assert await c.state() == "finished"
        assert await c.documents() == c.source.whole()
        await judge(c)


async def take_over(c: Case, page: int) -> None:
    """The worker is gone, and another one commits the next page."""
    if page > len(SIZES):
        return
    while await c.state() != "queued":
        await c.run_out()
        await c.scripts.rescue(c.keys)
    committed = await c.commit(await c.lease())
    assert committed.answer == "committed"


async def judge(c: Case) -> None:
    """The stream is the chain up to the checkpoint, and counts and events agree with it."""
    await c.check_events()
    page, _ = await c.position()
    row = await c.row()
    chain = c.source.chain(page)
    assert [entry for entry in await c.documents() if int(entry[0].partition("-")[0]) < page] == chain
    counts = (int(row["documents"]), int(row["pages"]), int(row["bytes"]))
    assert counts == (len(chain), page - 1, sum(len(document) for _, document in chain))
    ledger = await c.call("XRANGE", c.keys.ledger, "-", "+")
    assert [(place, int(fields[b"documents"])) for place, fields in ledger][: page - 1] == [
        (b"%d-0" % number, size) for number, size in enumerate(SIZES[: page - 1], 1)
    ]


def repaired(directory: Path, server: Path, text: bytes) -> bytes:
    """What the repair before each start makes of a file with this text."""
    append_only_file(directory).write_bytes(text)
    with (directory / "server.lock").open("ab") as lives:
        program.repair(Home.at(directory), server, lives.fileno())
    return append_only_file(directory).read_bytes()


@pytest.mark.invariant("C-6")
async def test_a_redis_of_ours_has_a_torn_commit_whole_or_not_at_all(tmp_path: Path, server: Path) -> None:
    """Every byte; and what the repair leaves, which is one of two files, is started twice."""
    before = await written(tmp_path / "template", server)
    whole = append_only_file(tmp_path / "template").read_bytes()
    cuts = range(len(before), len(whole) + 1)
    assert len(cuts) > 800

    def repair_all(number: int) -> set[bytes]:
        directory = tmp_path / f"repaired {number}"
        shutil.copytree(tmp_path / "template", directory)
        return {repaired(directory, server, whole[:cut]) for cut in cuts[number::AT_ONCE]}

    with ThreadPoolExecutor(AT_ONCE) as threads:
        left = set[bytes]().union(*threads.map(repair_all, range(AT_ONCE)))
    assert left == {before, whole}
    for text in left:
        append_only_file(tmp_path / "template").write_bytes(text)
        shutil.copytree(tmp_path / "template", tmp_path / str(len(text)))
        await restart_twice(tmp_path / str(len(text)), server)


def boundaries(text: bytes) -> Iterator[int]:
    """Where the commands of an append-only file begin."""
    place = 0
    while place < len(text):
        yield place
        header = re.compile(rb"\*(\d+)\r\n").match(text, place)
        assert header
        place = header.end()
        for _ in range(int(header[1])):
            length = re.compile(rb"\$(\d+)\r\n").match(text, place)
            assert length
            place = length.end() + int(length[1]) + 2


def leave_alone(*_: object) -> None:
    """In place of the repair."""


@pytest.mark.invariant("C-6")
@pytest.mark.parametrize(("page", "ending"), [(2, ""), (2, "yield"), (3, "")])
async def test_a_redis_that_nobody_repairs_executes_nothing_twice(
    tmp_path: Path, server: Path, monkeypatch: pytest.MonkeyPatch, page: int, ending: Ending
) -> None:
    """Redis itself cuts a torn file behind its last whole command; so each command is torn once."""
    before = await written(tmp_path / "template", server, page, ending)
    whole = append_only_file(tmp_path / "template").read_bytes()
    monkeypatch.setattr(program, "repair", leave_alone)
    at_once = asyncio.Semaphore(AT_ONCE)

    async def tear(start: int) -> None:
        directory = tmp_path / str(start)
        shutil.copytree(tmp_path / "template", directory)
        os.truncate(append_only_file(directory), len(before) + start + 5)
        async with at_once:
            await restart_twice(directory, server)

    starts = list(boundaries(whole[len(before) :]))
    assert len(starts) > 7
    async with asyncio.TaskGroup() as group:
        for start in starts:
            group.create_task(tear(start))


async def tear_each_command(template: Path, act: Callable[[Path], Awaitable[None]]) -> int:
    """Of the last transaction in the file: `act` gets a copy that is torn there; answers how many there were."""
    whole = append_only_file(template).read_bytes()
    begin, at_once = whole.rindex(BEGIN), asyncio.Semaphore(AT_ONCE)

    async def tear(start: int) -> None:
        directory = template.with_name(str(start))
        shutil.copytree(template, directory)
        os.truncate(append_only_file(directory), begin + start + 5)
        async with at_once:
            await act(directory)

    starts = list(boundaries(whole[begin:]))
    async with asyncio.TaskGroup() as group:
        for start in starts:
            group.create_task(tear(start))
    return len(starts)


# A split


async def split_again(c: Case) -> None:
    """Its worker is gone, and another one splits the slice; by now the source declares more."""
    while await c.state() not in ("queued", "finished"):
        await c.run_out()
        await c.scripts.rescue(c.keys)
    if await c.state() == "queued":
        await scenes.split(c, await c.lease(), [[0, 4], [4, 8], [8, 12]])


@pytest.mark.invariant("C-6")
async def test_a_torn_split_has_all_its_children_once(
    tmp_path: Path, server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each of its commands; what is left of it is executed at the second start, by a Redis that nobody repairs."""
    async with opened(tmp_path / "template", server) as c:
        await c.enqueue()
        await c.scripts.acknowledge(c.keys, "reader", "0-0", "0")
        hand = await c.lease()
        await scenes.split(c, hand, [[0, 2], [2, 5], [5, 9], [9, 12]])
    monkeypatch.setattr(program, "repair", leave_alone)

    async def go_on(directory: Path) -> None:
        async with opened(directory, server) as c:
            await c.call("CONFIG", "SET", "appendfsync", "always")
            await split_again(c)
            await scenes.walk(Scene(c, has_numbers=False), "0.0")
            os.kill(int((await c.redis.info("server"))["process_id"]), signal.SIGKILL)
        async with opened(directory, server) as c:
            await split_again(c)
            assert await scenes.union(Scene(c, has_numbers=False)) == "", directory
            for n in range(int((await c.row())["split"])):
                assert await replace(c, keys=SliceKeys("crawl", f"0.{n}")).state() == "finished", (directory, n)

    assert await tear_each_command(tmp_path / "template", go_on) > 15


# A delete


async def delete_all(c: Case) -> None:
    assert await c.scripts.delete(c.keys, (await c.row()).get("incarnation", "")) == "deleted"
    assert await c.call("KEYS", "*") == []


async def begin_again(directory: Path, server: Path, *, is_deleted_first: bool) -> None:
    """By the same name, and a start behind that."""
    async with opened(directory, server) as c:
        await c.call("CONFIG", "SET", "appendfsync", "always")
        if is_deleted_first or await c.call("EXISTS", crawl("crawl")):
            await delete_all(c)
        await c.enqueue()
        os.kill(int((await c.redis.info("server"))["process_id"]), signal.SIGKILL)
    async with opened(directory, server) as c:
        assert [event.what for event in await c.events()] == ["enqueue"]
        await c.finish(await c.lease())
        assert await c.documents() == c.source.whole()
        await delete_all(c)


@pytest.mark.invariant("C-8")
@pytest.mark.parametrize("is_deleted_first", [True, False])
async def test_a_torn_delete_leaves_what_can_be_deleted_and_a_name_that_can_be_used(
    tmp_path: Path, server: Path, monkeypatch: pytest.MonkeyPatch, *, is_deleted_first: bool
) -> None:
    """At each of its commands; what is left of it is executed at the second start, by a Redis that nobody repairs."""
    async with opened(tmp_path / "template", server) as c:
        await c.enqueue()
        await c.commit(await c.lease())
        await c.scripts.steer(c.keys, "cancel")
        await c.call("ZADD", DUE, 1, c.keys.tag)  # a torn cancel may leave this
        await delete_all(c)
    monkeypatch.setattr(program, "repair", leave_alone)

    async def go_on(directory: Path) -> None:
        await begin_again(directory, server, is_deleted_first=is_deleted_first)

    assert await tear_each_command(tmp_path / "template", go_on) > 5
