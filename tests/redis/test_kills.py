"""Kill at every await of the slice loop, one by one: another worker goes on; each document arrives once, in order."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import pytest
from pagefleet_worker.advance import Station, advance
from pagefleet_worker.clients import Clients

from pagefleet.audit import audit
from pagefleet.crawl import Crawl
from pagefleet.embedded import embedded
from pagefleet.fleet import Fleet, Handle
from pagefleet.settings import Settings
from pagefleet.states import State
from tests.api import Api, api, description, document
from tests.redis.actors import Case, source

COUNT, SIZE = 11, 5
"""Documents, and of a page: a few pages, two of which go in parts."""
AT_ONCE = 2
"""Processes that make mortal workers."""
SURVIVORS = 3
"""In a row, and then there are no more moments to die at."""


class Mortals:
    """Workers that die at the moment that they are told."""

    def __init__(self, url: str) -> None:
        self._command = [sys.executable, "-m", "tests.redis.mortal", url]

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self._command, cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._process.communicate(b"")  # which ends its input

    async def work(self, tag: str, moment: int) -> int:
        """The first job of a slice, by a worker that dies at this moment; answers its exit status."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{tag} 1 {moment}\n".encode())
        return int(await self._process.stdout.readline())


@asynccontextmanager
async def station(url: str) -> AsyncGenerator[Station]:
    async with Fleet(url) as fleet, Clients(Settings()) as clients:
        yield Station("second", fleet, clients, Settings())


async def die(second: Station, mortals: Mortals, server: Api, moment: int) -> tuple[Handle, int]:
    """A crawl of its own, and a worker on it that dies at this moment."""
    described = description(server.url, "things", count=COUNT, size=SIZE, limit=SIZE)
    handle = await second.fleet.enqueue(Crawl(**described, name=f"moment-{moment}"))
    return handle, await mortals.work(handle.keys.tag, moment)


async def go_on(second: Station, handle: Handle) -> None:
    """The scheduler's part, and the second worker's."""
    case = Case(second.fleet.redis, second.fleet.scripts, source(), handle.keys)
    if await case.state() == "running":
        await case.run_out()
        assert await case.scripts.rescue(case.keys) == "rescued"
    if await case.state() == "queued":
        await advance({"station": second}, handle.keys.tag, await case.claim())


async def judge(second: Station, handle: Handle) -> None:
    """Each document once, in order, with its key; and the audit agrees."""
    status = await handle.status()
    assert (status.state, status.documents, status.rescued <= 1) == (State.FINISHED, COUNT, True), handle.id
    found = [one async for one in handle.documents()]
    assert found == [document("things", number) for number in range(COUNT)], handle.id
    assert [one.key for one in found] == [str(number) for number in range(COUNT)], handle.id
    assert (await audit(second.fleet, handle.id)).findings == (), handle.id


@pytest.mark.invariant("C-1")
@pytest.mark.timeout(600)  # some two hundred processes that start and die
async def test_a_worker_may_die_at_any_await(tmp_path: Path) -> None:
    with api() as server:
        async with embedded(tmp_path) as url, station(url) as second, Mortals(url) as one, Mortals(url) as other:
            handles: list[Handle] = []
            statuses: list[int] = []
            while statuses[-SURVIVORS:] != [0] * SURVIVORS:
                moment = len(statuses) + 1
                pair = [die(second, mortals, server, moment + n) for n, mortals in enumerate((one, other))]
                for handle, status in await asyncio.gather(*pair):
                    handles.append(handle)
                    statuses.append(status)
            assert set(statuses) == {0, -signal.SIGKILL}
            assert len(statuses) > 100
            for handle in handles:
                await go_on(second, handle)
                await judge(second, handle)
            print(f"killed at {statuses.count(-signal.SIGKILL)} moments")
        await server.is_idle()
