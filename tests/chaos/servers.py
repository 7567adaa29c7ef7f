"""The Redis of a fleet under test, in two set-ups, and what may befall it.

`Single`  an embedded one, as `pagefleet crawl` starts it: power losses, after which the library itself starts it again
`Pair`    a primary and a replica: failovers to a replica that lags, with and without a split brain
"""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Self

from redis.asyncio import Redis
from redis.exceptions import RedisError

from pagefleet.embedded import embedded
from pagefleet.keys import CRAWLS, SliceKeys
from tests.machine import wait_until
from tests.proxy import Proxy
from tests.redis.servers import at_hand

SECOND = 1.0
"""What `appendfsync everysec` may lose."""
Rows = dict[str, tuple[int, str]]
"""Crawl id -> its page number, and the worker that has the lease (empty: none)."""


def client(url: str) -> Any:
    """Any: redis-py types most of its methods for two clients."""
    return Redis.from_url(url, decode_responses=True, socket_timeout=3.0, socket_connect_timeout=1.0)


async def rows(url: str) -> Rows:
    """All crawls as they stand in the Redis at this URL."""
    async with client(url) as redis:
        ids = await redis.zrange(CRAWLS, 0, -1)
        async with redis.pipeline(transaction=False) as pipe:
            for crawl in ids:
                pipe.hmget(SliceKeys(crawl).slice, "page", "state", "worker")
            found = await pipe.execute()
    return {
        crawl: (int(page), (worker or "") if state == "running" else "")
        for crawl, (page, state, worker) in zip(ids, found, strict=True)
        if page
    }


def forgotten(before: Rows, after: Rows) -> int:
    """Pages that were committed, and are not any longer."""
    return sum(max(0, page - after.get(crawl, (1, ""))[0]) for crawl, (page, _) in before.items())


def busy(found: Rows) -> int:
    """Crawls that a worker is just advancing."""
    return sum(bool(worker) for _, worker in found.values())


class Servers(ABC):
    """What both set-ups have. Two proxies lead to the primary; in a split brain each leads to one of its own."""

    def __init__(self, place: Path, tally: Counter[str], program: Path | None = None) -> None:
        self.place = place
        self.tally = tally
        self._program = program or next(iter(at_hand().values()))  # the machine's own comes first
        self.proxies: list[Proxy] = []
        self.stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._open()
        async with client(self.url) as redis:
            self.tally[f"storms over Redis {(await redis.info('server'))['redis_version']}"] += 1
        for _ in range(2):
            self.proxies.append(await self.stack.enter_async_context(Proxy.to(self.url)))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stack.aclose()

    @property
    @abstractmethod
    def url(self) -> str:
        """Of the primary."""

    @abstractmethod
    async def _open(self) -> None: ...

    @abstractmethod
    async def _pid(self) -> int: ...

    @abstractmethod
    async def kill(self) -> None:
        """SIGKILL, and a start."""

    async def freeze(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT so much later."""
        pid, found = await self._pid(), await rows(self.url)
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        os.kill(pid, signal.SIGCONT)
        self._count("freezes of Redis", found)

    async def command(self, *words: str) -> None:
        """One that hurts: SCRIPT FLUSH, CLIENT KILL, BGREWRITEAOF."""
        found = await rows(self.url)
        async with client(self.url) as redis:
            await redis.execute_command(*words)
        self._count(" ".join(words[:2]), found)

    def _count(self, what: str, found: Rows) -> None:
        """Only what struck while crawls were being advanced."""
        self.tally[what if busy(found) else f"{what}, idle"] += 1


class Single(Servers):
    """An embedded Redis, of this program."""

    def __init__(self, place: Path, tally: Counter[str], program: Path | None = None) -> None:
        super().__init__(place, tally, program)
        self._url = ""
        self._sizes: list[tuple[float, Path, int]] = []

    @property
    def url(self) -> str:
        return self._url

    async def _open(self) -> None:
        log = logging.getLogger("pagefleet.embedded")
        log.addFilter(self._note_repair)
        self.stack.callback(log.removeFilter, self._note_repair)
        await self._start()
        watching = asyncio.create_task(self._watch())
        self.stack.callback(watching.cancel)

    def _note_repair(self, record: logging.LogRecord) -> bool:
        """What the library warns of when it repairs is what is expected here."""
        self.tally["repairs of a torn end"] += "has been cut off" in record.getMessage()
        return False

    async def _start(self) -> None:
        """By the library's own way, which repairs the append-only file first."""
        self._url = await self.stack.enter_async_context(embedded(self.place / "redis", server=self._program))

    async def _pid(self) -> int:
        async with client(self.url) as redis:
            return int((await redis.info("server"))["process_id"])

    async def kill(self) -> None:
        found = await rows(self.url)
        await self._die()
        await self._start()
        self.tally["pages forgotten by SIGKILL of Redis"] += forgotten(found, await rows(self.url))
        self._count("SIGKILLs of Redis", found)

    async def _die(self) -> None:
        pid = await self._pid()
        os.kill(pid, signal.SIGKILL)

        async def gone() -> bool:
            with suppress(ProcessLookupError):
                os.kill(pid, 0)
                return False
            return True

        await wait_until(gone)

    async def lose_power(
        self, where: float, between: float, everywhere: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """The append-only file ends at a byte of its last second, `where` between 0 and 1 in it; two starts.
        `everywhere` takes the power from the others, too, just before."""
        before = await rows(self.url)
        if everywhere:
            await everywhere()
            self.tally["blackouts"] += 1
        await self._die()
        file, size = self._last_file()
        start = self._size_then(file, size)
        end = start + round(where * (size - start))
        os.truncate(file, end)
        self._sizes.clear()
        await self._start()
        after = await rows(self.url)
        self.tally["pages forgotten by power loss"] += forgotten(before, after)
        self._count("power losses" if end < size else "power losses without a loss", before)
        await asyncio.sleep(between)
        await self.kill()

    def _last_file(self) -> tuple[Path, int]:
        """Of the append-only file's parts the one that is written to; Redis 6.2 has only one."""
        there = list((self.place / "redis").glob("appendonlydir/*.incr.aof")) or [
            self.place / "redis" / "appendonly.aof"
        ]
        last = max(there, key=lambda file: [int(part) for part in file.name.split(".") if part.isdigit()])
        return last, last.stat().st_size

    def _size_then(self, file: Path, size: int) -> int:
        """A second ago; a file that was not there then had its beginning written by a rename, which is synced."""
        moment = time.monotonic() - SECOND
        known = [(at, length) for at, path, length in self._sizes if path == file and length <= size]
        older = [length for at, length in known if at <= moment]
        return older[-1] if older else known[0][1] if known else size

    async def _watch(self) -> None:
        while True:
            with suppress(OSError, ValueError):
                self._sizes = [*self._sizes[-100:], (time.monotonic(), *self._last_file())]
            await asyncio.sleep(0.05)


class Pair(Servers):
    """A primary and a replica. The one that was the primary is thrown away at each failover."""

    def __init__(self, place: Path, tally: Counter[str], program: Path | None = None) -> None:
        super().__init__(place, tally, program)
        self._number = 0
        self._all: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        return _url(self._primary[1])

    async def _open(self) -> None:
        self.stack.callback(self._end)
        self._primary = await self._start()
        self._replica = await self._start()
        await self._follow()

    def _end(self) -> None:
        for process in self._all:
            process.kill()
            process.wait()

    async def _pid(self) -> int:
        return self._primary[0].pid

    async def _start(self, port: int = 0, place: Path | None = None) -> tuple[subprocess.Popen[bytes], int, Path]:
        self._number += 1
        place = place or self.place / f"redis-{self._number}"
        place.mkdir(exist_ok=True)
        port = port or _free_port()
        options = {"port": port, "bind": "127.0.0.1", "dir": place, "save": "", "appendonly": "yes"}
        options |= {"repl-diskless-sync": "yes", "repl-diskless-sync-delay": 0, "logfile": place / "log"}
        words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
        process = await asyncio.to_thread(subprocess.Popen, [str(self._program), *words])
        self._all.append(process)
        await answering(_url(port))
        return process, port, place

    async def _follow(self) -> None:
        """The replica has all that the primary has, and is told of more."""
        async with client(_url(self._replica[1])) as redis:
            await redis.execute_command("REPLICAOF", "127.0.0.1", self._primary[1])

            async def linked() -> bool:
                return bool((await redis.info("replication"))["master_link_status"] == "up")

            await wait_until(linked)

    async def kill(self) -> None:
        found = await rows(self.url)
        process, port, place = self._primary
        process.kill()
        process.wait()
        self._primary = await self._start(port, place)
        self.tally["pages forgotten by SIGKILL of Redis"] += forgotten(found, await rows(self.url))
        await self._follow()
        self._count("SIGKILLs of Redis", found)

    async def fail_over(self, lag: float, *, is_split: bool) -> None:
        """What the primary is told in its last `lag` seconds never gets to the replica. In a split brain half of the
        fleet is with the new primary all that time, and the other half believes the old one."""
        new = _url(self._replica[1])
        async with client(new) as redis:
            await redis.execute_command("REPLICAOF", "NO", "ONE")
        at_split = await rows(new)
        if is_split:
            self._lead(self.proxies[:1], new)
        await asyncio.sleep(lag)
        before = await rows(self.url)
        self._primary[0].kill()
        self._primary[0].wait()
        self._primary = self._replica
        self._lead(self.proxies, new)
        self.tally["pages forgotten by failover"] += forgotten(before, at_split)
        self._count("failovers with a split brain" if is_split else "failovers", before)
        self._replica = await self._start()
        await self._follow()

    @staticmethod
    def _lead(proxies: Iterable[Proxy], url: str) -> None:
        for proxy in proxies:
            proxy.point(url)
            proxy.hang_up()


async def answering(url: str) -> None:
    """Waits until the Redis at this URL does."""
    async with client(url) as redis:

        async def answers() -> bool:
            with suppress(RedisError, OSError):
                return bool(await redis.ping())
            return False

        await wait_until(answers)


def _url(port: int) -> str:
    return f"redis://127.0.0.1:{port}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
