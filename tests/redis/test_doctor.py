"""`pagefleet doctor`: a bad configuration, a finding each; and none where all is well."""

import socket
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis

from pagefleet.cli.doctor import concerns, told
from pagefleet.connection import open_redis
from pagefleet.doctor import Facts, diagnose, examine
from pagefleet.keys import DUE, QUEUE
from tests.machine import INSTALLED
from tests.redis.actors import Case, case

GOOD = {
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": "",
    "aof-load-truncated": "no",
    "maxmemory-policy": "noeviction",
}


def words(facts: Facts) -> set[str]:
    return {concern.word for concern in diagnose(facts)}


@contextmanager
def server(place: Path, **options: str) -> Generator[str]:
    """A redis-server of its own with these settings."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = {**GOOD, **{name.replace("_", "-"): value for name, value in options.items()}, "dir": str(place)}
    arguments = [text for name, value in said.items() for text in (f"--{name}", value)]
    process = subprocess.Popen(
        ["redis-server", "--port", str(port), *arguments], env={"PATH": INSTALLED}, stdout=subprocess.DEVNULL
    )
    url = f"redis://127.0.0.1:{port}/0"
    try:
        with Redis.from_url(url, retry_on_error=[ConnectionError]) as redis:
            _until(lambda: _answers(redis))
        yield url
    finally:
        process.kill()
        process.wait()


def _answers(redis: Any) -> bool:
    try:
        return bool(redis.ping())
    except Exception:  # noqa: BLE001  # it is not there yet, in one way or another
        return False


def _until(fact: Callable[[], bool]) -> None:
    while not fact():
        pass


async def facts_of(url: str) -> Facts:
    redis: AsyncRedis = open_redis(url)
    try:
        return await examine(redis)
    finally:
        await redis.aclose(close_connection_pool=True)


CONFIGURATIONS: list[tuple[str, dict[str, str]]] = [
    ("eviction", {"maxmemory_policy": "allkeys-lru"}),
    ("persistence", {"appendonly": "no"}),
    ("fsync", {"appendfsync": "no"}),
    ("torn-writes", {"aof_load_truncated": "yes"}),
    ("timeout", {"timeout": "5"}),
    ("open", {"protected_mode": "no", "bind": "127.0.0.1 0.0.0.0"}),
    ("memory", {"maxmemory": "1100kb"}),
]


@pytest.mark.invariant("O-1")
@pytest.mark.parametrize(("word", "options"), [("", {}), *CONFIGURATIONS], ids=["", *(w for w, _ in CONFIGURATIONS)])
async def test_a_bad_configuration_is_found(tmp_path: Path, word: str, options: dict[str, str]) -> None:
    if word == "open":
        options = {**options, "bind": "127.0.0.1", "protected_mode": "no"}  # on no other address, not even here
    with server(tmp_path, **options) as url:
        facts = await facts_of(url)
        if word == "open":
            facts = replace(facts, config={**facts.config, "bind": "127.0.0.1 192.0.2.1"})
        assert words(facts) - {"scripts-hole"} == {word} - {""}


@pytest.mark.invariant("S-14", "O-1")
@pytest.mark.parametrize(
    ("name", "version", "expected"),
    [
        ("redis", "6.0.16", {"too-old", "scripts-hole"}),
        ("redis", "6.2.19", {"scripts-hole"}),
        ("redis", "6.2.20", set[str]()),
        ("redis", "7.0.15", {"scripts-hole"}),
        ("redis", "8.2.2", set[str]()),
        ("redis", "8.4.0", set[str]()),
        ("valkey", "8.1.3", {"scripts-hole"}),
        ("valkey", "9.0.0", set[str]()),
    ],
)
def test_versions_with_known_holes(name: str, version: str, expected: set[str]) -> None:
    info = {"aof_enabled": 1, "server_name": name, f"{name}_version": version, "redis_version": "7.2.4"}
    if name == "redis":
        info = {"aof_enabled": 1, "redis_version": version}
    assert words(Facts(info, GOOD)) == expected
    assert words(Facts(info, GOOD, is_ours=True)) == expected - {"scripts-hole"}


WELL: dict[str, Any] = {"aof_enabled": 1, "redis_version": "8.2.2"}


@pytest.mark.invariant("O-1")
@pytest.mark.parametrize(
    ("word", "facts"),
    [
        ("clock-skew", Facts(WELL, GOOD, skew=-1.5)),
        ("replica", Facts({**WELL, "role": "slave"}, GOOD)),
        ("failover", Facts({**WELL, "connected_slaves": 1}, {**GOOD, "min-replicas-to-write": "0"})),
        ("no-scheduler", Facts(WELL, GOOD, now=40_000, due={"a:0": 1.0})),
        ("no-worker", Facts(WELL, GOOD, slices={"a:0": {"state": "queued"}}, due={"a:0": 1.0})),
        ("stuck", Facts(WELL, GOOD, slices={"a:0": {"state": "snoozed"}})),
        ("foreign-jobs", Facts(WELL, GOOD, jobs={"x": b"\x80\x05pickled"})),
        ("foreign-jobs", Facts(WELL, GOOD, jobs={"x": b'{"f": "send_mail"}'})),
        ("arq-settings", Facts(WELL, GOOD, results=1)),
        ("leaked-keys", Facts(WELL, GOOD, leaked=["pagefleet:slice:{a:0}"])),
    ],
)
def test_a_bad_state_is_found(word: str, facts: Facts) -> None:
    assert words(facts) == {word}


def test_nothing_is_said_of_what_redis_does_not_tell() -> None:
    assert words(Facts(WELL, {})) == set()


@pytest.mark.invariant("O-1")
async def test_what_is_in_redis(redis_url: str) -> None:
    async with case(redis_url, 1) as c:
        await c.enqueue()
        await c.claim()
        assert {"no-worker"} <= words(await facts_of(redis_url))
        await c.call("SET", "pagefleet:worker:me:1", "here", "PX", 5000)
        assert not {"no-worker", "stuck", "leaked-keys"} & words(await facts_of(redis_url))
        await spoil(c)
        assert {"stuck", "foreign-jobs", "arq-settings", "leaked-keys"} <= words(await facts_of(redis_url))
        assert told(await concerns(redis_url, is_ours=True)) == 1
        await c.call("FLUSHALL")


async def spoil(c: Case) -> None:
    """As a restored backup, another application, and a worker with other settings would."""
    await c.call("ZREM", DUE, c.keys.tag)
    await c.call("ZADD", QUEUE, 1, "theirs")
    await c.call("SET", "arq:job:theirs", b"\x80\x05")
    await c.call("SET", f"arq:result:{c.keys.crawl}:0:1", "x")
    await c.call("HSET", "pagefleet:slice:{gone:0}", "state", "running")
