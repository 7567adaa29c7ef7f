"""The embedded Redis: a server of our own, in a directory, reached through a unix socket.

    async with embedded(".pagefleet") as url: ...

The first process inside such a block on a directory starts the server, the last one out stops it. Nobody
keeps a register: it would outlive `kill -9`. Three files are locked instead, and the kernel lets go of a lock
when its holder dies, however it dies:

    starting.lock   held while somebody starts or stops the server: one at a time
    users.lock      shared by everybody inside a block; who can have it alone was the last
    server.lock     inherited by the server and never touched by it: held means that it lives

A process id could not tell that the server has gone: it may be a zombie's, or another process' by now. A
server whose users were all killed goes on running until the next user comes, uses it and leaves.

    home.py     where it lives
    server.py   its program, found and started; the repair of its file before that
"""

import asyncio
import fcntl
import time
from collections.abc import AsyncGenerator, Awaitable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import IO, TypeVar
from urllib.parse import quote

from pagefleet.embedded.home import EmbeddedError, Home, is_held, make_private, opened, try_lock
from pagefleet.embedded.server import launch

POLL_SECONDS = 0.02
SILENCE_SECONDS = 60.0  # a server that says that it is loading is not silent, and may take any time

T = TypeVar("T")


@asynccontextmanager
async def embedded(directory: Path | str = ".pagefleet", *, server: Path | str | None = None) -> AsyncGenerator[str]:
    """A Redis of our own for the length of the block; yields its URL (unix:///…/redis.sock).

    Data stay in the directory. The server program is the one given here, else what `server.find_server` says. The
    block is what keeps the server alive: a process that was only handed the URL does not.
    """
    with _explained(directory):
        home = Home.at(directory)
        users = opened(home.directory / "users.lock")
    with users:
        with _explained(directory):
            await _enter(home, users, server)
        try:
            yield f"unix://{quote(str(home.socket))}"
        finally:
            with _explained(directory):
                await _uninterrupted(_leave(home, users))


async def _enter(home: Home, users: IO[bytes], server: Path | str | None) -> None:
    async with _turn(home):
        if home.socket.parent != home.directory:
            make_private(home.socket.parent)
        fcntl.flock(users, fcntl.LOCK_SH)  # never waits: who wants it alone has the turn
        try:
            await _ensure_running(home, server)
        except asyncio.CancelledError:
            await _uninterrupted(_stop_if_last(home, users))
            raise


async def _ensure_running(home: Home, server: Path | str | None) -> None:
    if not await _answers(home):
        await _uninterrupted(asyncio.to_thread(launch, home, server))
        if not await _answers(home):
            raise home.failure("ended while it started")


async def _answers(home: Home) -> bool:
    """Whether a server answers here, having loaded its data; False once none is alive."""
    from redis.exceptions import BusyLoadingError, RedisError  # noqa: PLC0415

    silent_until = time.monotonic() + SILENCE_SECONDS
    while True:
        try:
            await _uninterrupted(_ping(home))
        except BusyLoadingError:
            silent_until = time.monotonic() + SILENCE_SECONDS
        except (RedisError, OSError):
            if not is_held(home.lives):
                return False
            if time.monotonic() > silent_until:
                silence = f"is silent for {SILENCE_SECONDS:.0f} s (was it started with another TMPDIR?)"
                raise home.failure(silence) from None
        else:
            return True
        await asyncio.sleep(POLL_SECONDS)


async def _ping(home: Home) -> None:
    """Not to be cancelled: redis-py 5 would leave its connection open, or (in Python 3.11) swallow the cancellation."""
    async with home.client() as client:
        await client.ping()


async def _leave(home: Home, users: IO[bytes]) -> None:
    async with _turn(home):
        await _stop_if_last(home, users)


async def _stop_if_last(home: Home, users: IO[bytes]) -> None:
    if try_lock(users, fcntl.LOCK_EX):
        await _stop(home)
    fcntl.flock(users, fcntl.LOCK_UN)  # closing is not enough where a forked child still has the file open


async def _stop(home: Home) -> None:
    """Shut the server down, which writes its append-only file out, and wait until it has gone."""
    from redis.exceptions import RedisError  # noqa: PLC0415

    until = time.monotonic() + SILENCE_SECONDS
    async with home.client() as client:
        while is_held(home.lives):
            if time.monotonic() > until:
                raise home.failure(f"has not shut down in {SILENCE_SECONDS:.0f} s; the next user adopts it")
            with suppress(RedisError, OSError):
                await client.shutdown()
            await asyncio.sleep(POLL_SECONDS)
    if home.socket.parent != home.directory:
        with suppress(OSError):
            home.socket.unlink(missing_ok=True)  # left there by a server that was killed
            home.socket.parent.rmdir()


@contextmanager
def _explained(directory: Path | str) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise EmbeddedError(
            f"The embedded Redis cannot use {directory}: {error}. Use another directory, or a Redis that "
            "runs already: --redis URL."
        ) from error


@asynccontextmanager
async def _turn(home: Home) -> AsyncGenerator[None]:
    """The right to start or stop the server."""
    with opened(home.directory / "starting.lock") as lock:
        # Asked for again and again: a thread that waits for a lock could not be cancelled.
        while not try_lock(lock, fcntl.LOCK_EX):  # noqa: ASYNC110 - another process cannot set an event
            await asyncio.sleep(POLL_SECONDS)
        try:
            yield
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)


async def _uninterrupted(work: Awaitable[T]) -> T:
    """Wait for the work to its end, however often we are cancelled meanwhile; be cancelled then."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return task.result()
    with suppress(Exception, asyncio.CancelledError):
        task.result()
    raise cancelled
