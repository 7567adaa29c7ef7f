"""A proxy between a client and Redis that loses what it is told to lose: replies, requests, or their time.

    async with Proxy.to(redis_url) as proxy:
        lost = proxy.lose_reply(b"commit-7")     # Redis does it, the client never hears of it
        ... Redis.from_url(proxy.url) ...
        await lost.happened()

It reads whole commands, so that a needle is found however the bytes came, and copies replies as they are. `weather`
strikes commands that nobody named; `point` leads what connects from now on to another Redis.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import Self
from urllib.parse import unquote, urlsplit


class Kind(StrEnum):
    """What becomes of a command, and of its connection."""

    LOSE_REPLY = "Redis executes it; the connection ends before the reply"
    SWALLOW = "it never arrives; the connection ends"
    HOLD = "it arrives when it is let go, also if the client has gone by then"
    HOLD_REPLY = "Redis executes it; the reply arrives when it is let go"
    REPEAT = "it arrives, and when it is let go once more, at whichever Redis is the primary by then"


class Fault:
    """Waits for the next command with these bytes in it; strikes once."""

    def __init__(self, kind: Kind, needle: bytes, delay: float | None = None) -> None:
        self.kind = kind
        self.needle = needle
        self._delay = delay
        self._struck = asyncio.Event()
        self._let_go = asyncio.Event()
        self._done = asyncio.Event()

    async def happened(self) -> None:
        """The command came."""
        await self._struck.wait()

    async def let_go(self) -> None:
        """Let a held command through to Redis, and wait until it has been answered there."""
        self._let_go.set()
        await self._done.wait()

    def strikes(self, command: bytes) -> bool:
        if self._struck.is_set() or self.needle not in command:
            return False
        self._struck.set()
        return True

    async def wait(self) -> None:
        """Until it is let go, which with a delay it is by itself."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._delay):
                await self._let_go.wait()

    def answered(self, reply: bytes) -> None:
        """What Redis said to the command that was struck; a swallowed one has no reply."""
        self._done.set()


class Proxy:
    """Listens on a port of the loopback interface; `url` is what a client connects to."""

    def __init__(self, upstream: str) -> None:
        self._upstream = urlsplit(upstream)
        self._faults: list[Fault] = []
        self._clients: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.weather: Callable[[bytes], Fault | None] = lambda _: None
        """Asked about each command that no named fault strikes."""
        self.url = ""

    @classmethod
    @asynccontextmanager
    async def to(cls, upstream: str) -> AsyncGenerator[Self]:
        """A proxy in front of the Redis at this URL, for the length of the block."""
        proxy = cls(upstream)
        server = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
        proxy.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield proxy
        finally:
            server.close()
            for task in proxy._tasks:
                task.cancel()
            await asyncio.gather(*proxy._tasks, return_exceptions=True)

    def lose_reply(self, needle: bytes) -> Fault:
        """Of the next command with these bytes in it."""
        return self._arm(Kind.LOSE_REPLY, needle)

    def swallow(self, needle: bytes) -> Fault:
        """The next command with these bytes in it."""
        return self._arm(Kind.SWALLOW, needle)

    def hold(self, needle: bytes) -> Fault:
        """The next command with these bytes in it, until it is let go."""
        return self._arm(Kind.HOLD, needle)

    def point(self, upstream: str) -> None:
        """Whoever connects from now on reaches this Redis."""
        self._upstream = urlsplit(upstream)

    def hang_up(self) -> None:
        """End all connections of clients; what is held stays on its way to Redis."""
        for client in self._clients:
            client.close()

    def _arm(self, kind: Kind, needle: bytes) -> Fault:
        fault = Fault(kind, needle)
        self._faults.append(fault)
        return fault

    def _fault(self, command: bytes) -> Fault | None:
        named = next((fault for fault in self._faults if fault.strikes(command)), None)
        return named or self.weather(command)

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._clients.add(client)
        try:
            with suppress(OSError, EOFError, asyncio.CancelledError):
                await self._carry(reader, client)
        finally:
            self._tasks.discard(task)
            self._clients.discard(client)
            client.close()

    async def _carry(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        replies, upstream = await self._connect()
        back = asyncio.create_task(copy(replies, client))
        try:
            while command := await read_command(reader):
                fault = self._fault(command)
                if fault is None:
                    upstream.write(command)
                    await upstream.drain()
                    continue
                await stop(back)
                if fault.kind is Kind.SWALLOW:
                    fault.answered(b"")
                    return
                reply = await self._strike(fault, command, replies, upstream)
                if fault.kind is Kind.LOSE_REPLY:
                    return
                client.write(reply)
                back = asyncio.create_task(copy(replies, client))
        finally:
            upstream.close()
            await stop(back)

    async def _strike(
        self, fault: Fault, command: bytes, replies: asyncio.StreamReader, upstream: asyncio.StreamWriter
    ) -> bytes:
        if fault.kind is Kind.HOLD:
            await fault.wait()
        upstream.write(command)
        await upstream.drain()
        reply = await replies.read(65536)
        if fault.kind is Kind.REPEAT:
            again = asyncio.create_task(self._repeat(fault, command))
            self._tasks.add(again)
            again.add_done_callback(self._tasks.discard)
            return reply
        if fault.kind is Kind.HOLD_REPLY:
            await fault.wait()
        fault.answered(reply)
        return reply

    async def _repeat(self, fault: Fault, command: bytes) -> None:
        await fault.wait()
        with suppress(OSError):
            replies, upstream = await self._connect()
            upstream.write(command)
            fault.answered(await replies.read(65536))
            upstream.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._upstream.scheme == "unix":
            return await asyncio.open_unix_connection(unquote(self._upstream.path))
        return await asyncio.open_connection(self._upstream.hostname, self._upstream.port or 6379)


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the end of the one or the other."""
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def stop(task: asyncio.Task[None]) -> None:
    """Cancel it, and wait until it has let go of what it reads from."""
    task.cancel()
    await asyncio.wait({task})


async def read_command(reader: asyncio.StreamReader) -> bytes:
    """The next command, its bytes as they came; nothing at the end."""
    head = await reader.readline()
    parts = [head]
    for _ in range(int(head[1:] or 0)):
        size = await reader.readline()
        parts += [size, await reader.readexactly(int(size[1:]) + 2)]
    return b"".join(parts)
