"""The embedded Redis, with real servers: what survives, who shares, who stops it, what it refuses."""

import asyncio
import fcntl
import os
import shutil
import signal
import stat
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from pagefleet.embedded import embedded
from pagefleet.embedded.home import EmbeddedError
from pagefleet.embedded.server import find_server
from tests.machine import INSTALLED
from tests.redis.servers import at_hand

COMMIT = "for i = 1, 2 do redis.call('XADD', KEYS[1], '*', 'n', i) end return redis.call('INCR', KEYS[2])"
"""A transaction: two entries and their count. Half of one, or one executed twice, breaks the sum."""

USER = """
import asyncio, sys
from pagefleet.embedded import embedded

async def main(directory, server):
    async with embedded(directory, server=server) as url:
        print(url, flush=True)
        await asyncio.to_thread(sys.stdin.readline)

asyncio.run(main(*sys.argv[1:]))
"""

ROUNDS = """
import asyncio, sys
from redis.asyncio import Redis
from pagefleet.embedded import embedded

async def main(directory, server):
    for _ in range(5):
        async with embedded(directory, server=server) as url, Redis.from_url(url) as redis:
            await redis.incr("rounds")

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture(params=list(at_hand()))
def server(request: pytest.FixtureRequest) -> Path:
    return need(request.param)


def need(name: str) -> Path:
    if name not in at_hand():
        pytest.skip(f"no redis-server here: {name}")
    return at_hand()[name]


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path) -> Generator[None]:
    """No test leaves a server behind; one that does is told, and the server is ended."""
    yield
    left = running(tmp_path)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert not left


def running(directory: Path) -> list[int]:
    """The processes that work below a directory, by /proc (elsewhere than on Linux: none)."""
    found: list[int] = []
    for place in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):  # it ended meanwhile, or is a zombie
            # A process that ends has closed its files (and so given up its lock) a moment before it has gone.
            if place.readlink().is_relative_to(directory) and any(place.with_name("fd").iterdir()):
                found.append(int(place.parent.name))
    return found


def wait_until_reaped(pid: int) -> None:
    with suppress(ChildProcessError):
        while True:
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


@asynccontextmanager
async def opened(directory: Path, server: Path | None = None) -> AsyncGenerator[Redis]:
    async with embedded(directory, server=server) as url, Redis.from_url(url, decode_responses=True) as redis:
        yield redis


async def pid_of(redis: Redis) -> int:
    return int((await redis.info("server"))["process_id"])


async def spawn(script: str, directory: Path, server: Path) -> asyncio.subprocess.Process:
    """Another Python process that uses the directory."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        str(directory),
        str(server),
        cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def user(directory: Path, server: Path) -> AsyncGenerator[asyncio.subprocess.Process]:
    """Another process that is inside its block when this one begins, and has left or been killed after it."""
    process = await spawn(USER, directory, server)
    assert process.stdout
    assert (await process.stdout.readline()).startswith(b"unix://")
    try:
        yield process
    finally:
        await process.communicate(b"\n")


# What survives


async def test_data_survive_a_restart(tmp_path: Path, server: Path) -> None:
    async with opened(tmp_path, server) as redis:
        await redis.set("key", "value")
    assert not running(tmp_path)
    async with opened(tmp_path, server) as redis:
        assert await redis.get("key") == "value"


async def test_data_survive_the_death_of_the_server(tmp_path: Path, server: Path) -> None:
    async with opened(tmp_path, server) as redis:
        await redis.set("key", "value")
        os.kill(await pid_of(redis), signal.SIGKILL)
        async with opened(tmp_path, server) as second:  # the next user starts it again, for the first one too
            assert await second.get("key") == "value"
        assert await redis.get("key") == "value"
    async with opened(tmp_path, server) as redis:
        os.kill(await pid_of(redis), signal.SIGKILL)
    async with opened(tmp_path, server) as redis:
        assert await redis.get("key") == "value"


async def commit(redis: Redis) -> None:
    await redis.register_script(COMMIT)(keys=["entries", "commits"])


async def is_whole(redis: Redis, commits: int) -> None:
    assert (int(await redis.get("commits")), await redis.xlen("entries")) == (commits, 2 * commits)


def append_only_file(directory: Path) -> Path:
    (file,) = [*directory.glob("appendonly.aof"), *directory.glob("appendonlydir/*.incr.aof")]
    return file


@pytest.mark.invariant("C-6")
async def test_a_half_written_transaction_never_comes_back(tmp_path: Path, server: Path) -> None:
    """Without the repair most of these positions execute the half transaction at the second restart."""
    template = tmp_path / "template"
    async with opened(template, server) as redis:
        for _ in range(3):
            await commit(redis)
    whole = append_only_file(template).read_bytes()
    begin = whole.rindex(b"*1\r\n$5\r\nMULTI\r\n")
    at_once = asyncio.Semaphore(8)

    async def restart_twice(cut: int) -> None:
        directory = tmp_path / str(cut)
        shutil.copytree(template, directory)
        os.truncate(append_only_file(directory), cut)
        async with at_once:
            async with opened(directory, server) as redis:
                await redis.config_set("appendfsync", "always")  # else a busy disk lets the kill below take the commit
                await is_whole(redis, 2)
                await commit(redis)
                os.kill(await pid_of(redis), signal.SIGKILL)
            async with opened(directory, server) as redis:
                await is_whole(redis, 3)

    async with asyncio.TaskGroup() as group:
        for cut in range(begin, len(whole), 7):
            group.create_task(restart_twice(cut))


async def test_a_repair_is_told(tmp_path: Path, server: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with opened(tmp_path, server) as redis:
        await commit(redis)
    assert not caplog.records
    file = append_only_file(tmp_path)
    os.truncate(file, file.stat().st_size - 1)
    async with opened(tmp_path, server):
        assert "half written and has been cut off" in caplog.text


def server_script(directory: Path, *settings: str) -> Path:
    """A script in the server's place, with redis-check-aof beside it, as a version manager makes them."""
    (directory / "redis-check-aof").symlink_to(need("path"))
    script = directory / "redis-server"
    script.write_text(f'#!/bin/sh\nexec "{need("path")}" "$@" {" ".join(settings)}\n')
    script.chmod(0o700)
    return script


async def test_a_server_behind_a_script_is_repaired_by_its_neighbour(tmp_path: Path) -> None:
    script = server_script(tmp_path)
    async with opened(tmp_path / "data", script) as redis:
        await commit(redis)
        await commit(redis)
    file = append_only_file(tmp_path / "data")
    os.truncate(file, file.stat().st_size - 1)
    async with opened(tmp_path / "data", script) as redis:
        await is_whole(redis, 1)


async def test_redis_7_takes_over_the_file_of_6(tmp_path: Path) -> None:
    new, old = need("path"), need("wheel")
    async with opened(tmp_path, old) as redis:
        await commit(redis)
        await commit(redis)
    os.truncate(tmp_path / "appendonly.aof", (tmp_path / "appendonly.aof").stat().st_size - 1)
    for _ in range(2):
        async with opened(tmp_path, new) as redis:
            await is_whole(redis, 1)


async def test_it_waits_while_the_data_are_loaded(tmp_path: Path) -> None:
    async with opened(tmp_path, need("path")) as redis:
        await redis.mset({f"key {i}": os.urandom(2000) for i in range(50)})
        await redis.bgrewriteaof()  # type: ignore[no-untyped-call]  # redis-py leaves this one without types
        while (await redis.info("persistence"))["aof_rewrite_in_progress"]:
            pass
    slowly = ["--key-load-delay", "10000", "--loading-process-events-interval-bytes", "1024"]
    async with opened(tmp_path, server_script(tmp_path, *slowly)) as redis:
        assert await redis.dbsize() == 50


async def test_an_older_server_does_not_start_empty_on_newer_files(tmp_path: Path) -> None:
    new, old = need("path"), need("wheel")
    async with opened(tmp_path, new) as redis:
        await commit(redis)
    with pytest.raises(EmbeddedError, match="written by Redis 7 or later"):
        async with opened(tmp_path, old):
            pass
    async with opened(tmp_path, new) as redis:
        await is_whole(redis, 1)


# Who shares, and who stops it


async def test_the_last_process_out_stops_the_server(tmp_path: Path, server: Path) -> None:
    async with user(tmp_path, server), opened(tmp_path, server) as redis:
        pid = await pid_of(redis)
        async with user(tmp_path, server):
            assert running(tmp_path) == [pid]
        assert await pid_of(redis) == pid
    assert not running(tmp_path)


async def test_the_one_who_started_it_may_leave_first(tmp_path: Path, server: Path) -> None:
    async with user(tmp_path, server) as starter, opened(tmp_path, server) as redis:
        pid = await pid_of(redis)
        await starter.communicate(b"\n")
        assert starter.returncode == 0
        assert await pid_of(redis) == pid
    assert not running(tmp_path)


async def test_a_stopped_server_does_not_stay_as_a_zombie(tmp_path: Path, server: Path) -> None:
    async with opened(tmp_path, server) as redis:
        pid = await pid_of(redis)
    assert not running(tmp_path)
    await asyncio.to_thread(wait_until_reaped, pid)


async def test_two_blocks_in_one_process_share(tmp_path: Path, server: Path) -> None:
    first, second = opened(tmp_path, server), opened(tmp_path, server)
    one, two = await asyncio.gather(first.__aenter__(), second.__aenter__())
    assert await pid_of(one) == await pid_of(two)
    await first.__aexit__(None, None, None)
    assert await two.ping()
    await second.__aexit__(None, None, None)
    assert not running(tmp_path)


async def test_many_come_and_go_at_once(tmp_path: Path, server: Path) -> None:
    processes = [await spawn(ROUNDS, tmp_path, server) for _ in range(4)]
    assert [await process.wait() for process in processes] == [0] * 4
    assert not running(tmp_path)
    async with opened(tmp_path, server) as redis:
        assert await redis.get("rounds") == "20"


async def test_a_server_whose_user_was_killed_is_adopted(tmp_path: Path, server: Path) -> None:
    async with user(tmp_path, server) as process:
        process.kill()
        await process.wait()
    left = running(tmp_path)
    assert len(left) == 1
    async with opened(tmp_path, server) as redis:
        assert [await pid_of(redis)] == left
    assert not running(tmp_path)


async def test_waiting_for_another_does_not_hold_the_event_loop(tmp_path: Path, server: Path) -> None:
    (tmp_path / "data").mkdir()
    with (tmp_path / "data" / "starting.lock").open("w") as another:
        fcntl.flock(another, fcntl.LOCK_EX)
        block = opened(tmp_path / "data", server)
        entering = asyncio.create_task(block.__aenter__())
        async with opened(tmp_path / "elsewhere", server) as redis:
            await commit(redis)
        assert not entering.done()
    await entering
    await block.__aexit__(None, None, None)


async def test_an_exception_stops_the_server(tmp_path: Path, server: Path) -> None:
    with pytest.raises(OSError, match="of the block"):
        async with opened(tmp_path, server):
            raise OSError("of the block")
    assert not running(tmp_path)


async def test_cancelled_again_and_again_it_still_stops_the_server(tmp_path: Path, server: Path) -> None:
    inside = asyncio.Event()

    async def use() -> None:
        async with opened(tmp_path, server):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(use())
    await inside.wait()
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=0.001)
    assert task.cancelled()
    assert not running(tmp_path)


async def test_cancelled_at_any_time_it_leaves_nothing(tmp_path: Path, server: Path) -> None:
    async def use() -> None:
        async with embedded(tmp_path, server=server):
            await asyncio.Event().wait()

    for milliseconds in range(0, 80, 2):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(use(), milliseconds / 1000)
        assert not running(tmp_path)


# How it is set up


async def test_nobody_else_can_reach_it_and_it_forgets_nothing(tmp_path: Path, server: Path) -> None:
    directory = tmp_path / "of its own"
    async with opened(directory, server) as redis:
        settings = await redis.config_get("*")
        assert settings["port"] == "0"
        assert settings["appendonly"] == "yes"
        assert settings["appendfsync"] == "everysec"
        assert settings["save"] == ""
        assert settings["maxmemory-policy"] == "noeviction"
        assert settings["stream-node-max-bytes"] == ("16384" if server == at_hand().get("wheel") else "65536")
        for file in [directory, *directory.iterdir()]:
            assert not stat.S_IMODE(file.stat().st_mode) & 0o077, file
        assert os.getsid(await pid_of(redis)) != os.getsid(0)  # Ctrl-C goes to a session of its own


async def test_a_path_too_long_for_a_socket(tmp_path: Path, server: Path) -> None:
    directory = tmp_path / ("long" * 30)
    async with embedded(directory, server=server) as url, user(directory, server):
        socket = Path(url.removeprefix("unix://"))
        assert len(os.fsencode(socket)) <= 103
        assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
        assert len(running(tmp_path)) == 1
    assert not socket.parent.exists()

    socket.parent.mkdir(mode=0o755)  # somebody was there first
    try:
        with pytest.raises(EmbeddedError, match="mode 0700"):
            async with embedded(directory, server=server):
                pass
    finally:
        socket.parent.rmdir()


# What it says when it cannot


def test_the_server_is_the_one_named_then_the_one_on_path_then_the_wheels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PAGEFLEET_REDIS_SERVER", "/named")
    assert find_server() == Path("/named")
    monkeypatch.delenv("PAGEFLEET_REDIS_SERVER")
    monkeypatch.setenv("PATH", INSTALLED)
    assert find_server() == need("path")
    monkeypatch.setenv("PATH", "")
    assert find_server() == need("wheel")
    monkeypatch.setattr(sys, "path", [])
    assert find_server() is None


async def test_no_server_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PAGEFLEET_REDIS_SERVER", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(EmbeddedError, match=r"no redis-server or valkey-server.*pagefleet\[cli\].*--redis URL"):
        async with embedded(tmp_path):
            pass


@pytest.mark.parametrize(
    ("program", "message"), [("no-such-server", "cannot use .*No such file"), ("true", "not a Redis of 6.2")]
)
async def test_a_server_that_is_none(tmp_path: Path, program: str, message: str) -> None:
    with pytest.raises(EmbeddedError, match=message):
        async with embedded(tmp_path, server=program):
            pass


async def test_a_directory_that_is_none(tmp_path: Path, server: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedError, match=r"cannot use .*Not a directory"):
        async with embedded(tmp_path / "file" / "below", server=server):
            pass


async def test_a_server_that_dies_at_its_start_is_quoted(tmp_path: Path, server: Path) -> None:
    (tmp_path / "redis.sock").mkdir()
    with pytest.raises(EmbeddedError, match=r"(?s)ended while it started.*[Uu]nix socket: bind"):
        async with embedded(tmp_path, server=server):
            pass


async def test_damage_that_cannot_be_repaired_is_told(tmp_path: Path) -> None:
    async with opened(tmp_path, need("path")) as redis:
        await commit(redis)
    base = tmp_path / "appendonlydir" / "appendonly.aof.1.base.rdb"
    assert base.exists()
    base.write_bytes(b"REDIS" + bytes(80))
    with pytest.raises(EmbeddedError, match="could not repair"):
        async with embedded(tmp_path, server=need("path")):
            pass


async def test_a_stopped_server_takes_no_more_connections(tmp_path: Path, server: Path) -> None:
    async with embedded(tmp_path, server=server) as url:
        pass
    async with Redis.from_url(url) as redis:
        with pytest.raises(RedisConnectionError):
            await redis.ping()
