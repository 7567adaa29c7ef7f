"""A fleet under the users of docs/security.md, and nobody who unpickles what is in Redis."""

import os
import pickle  # noqa: TID251 — it is broken here, and that is tried
import re
import socket
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError, RedisError

from pagefleet.crawl import Crawl
from pagefleet.fleet import Fleet
from tests.api import api, description, document
from tests.machine import Machine, machine, wait_until

DOC = Path(__file__).parents[2] / "docs" / "security.md"
USERS = dict(re.findall(r"^user (\w+) (.*)$", DOC.read_text(), re.MULTILINE))
ROLES = ("worker", "scheduler", "consumer")
FORBIDDEN = [
    *(("FLUSHALL",), ("FLUSHDB",), ("CONFIG", "GET", "*"), ("CONFIG", "SET", "appendonly", "no"), ("KEYS", "*")),
    *(("MONITOR",), ("SCRIPT", "FLUSH"), ("SHUTDOWN",), ("ACL", "LIST"), ("SAVE",)),
    *(("GET", "other"), ("SET", "other", "1"), ("DEL", "other"), ("REPLICAOF", "NO", "ONE"), ("CLIENT", "KILL", "x")),
    *(("EVAL", "return redis.call('FLUSHALL')", "0"), ("EVAL", "return redis.call('GET', 'other')", "0")),
    *(("EVAL", "return redis.call('DEL', KEYS[1])", "1", "other"), ("PUBLISH", "x", "y")),
]


REFUSAL = re.compile("permission|ACL|can't (run|access)", re.IGNORECASE)


def url(place: Machine, role: str) -> str:
    return place.url.replace("unix://", f"unix://{role}:{role}-password@")


def guard(place: Machine) -> None:
    """The users, and nobody else."""
    with Redis.from_url(place.url) as redis:
        untyped: Any = redis
        for role in (*ROLES, "default"):
            rules = USERS[role].replace(">CHANGE-ME", f">{role}-password").split()
            untyped.execute_command("ACL", "SETUSER", role, *rules)


@pytest.mark.invariant("S-10")
async def test_a_fleet_whose_roles_may_do_what_they_need(tmp_path: Path) -> None:
    with machine(tmp_path) as place, api() as server:
        await place.answers()
        guard(place)
        place.start_worker(url=url(place, "worker"))
        place.url, plain = url(place, "scheduler"), place.url
        place.start_scheduler()
        place.url = plain
        async with Fleet(url(place, "consumer")) as fleet:
            said = description(server.url, "x", count=200) | {"limits": {"backlog": 50}}
            handle = await fleet.enqueue(Crawl.model_validate(said))
            found = [one async for one in handle.documents("reader")]
            assert found == [document("x", number) for number in range(200)]
            assert (await handle.status()).state == "finished"
            await handle.forget("reader")
            assert [one.id for one in await fleet.crawls()] == [handle.id]
            other = await fleet.enqueue(Crawl.model_validate(said | {"name": "other"}))
            await other.pause()
            await other.resume()
            await other.cancel()
            told = [event.what for event in await other.events() if event.who == "person"]
            assert told == ["enqueue", "pause", "resume", "cancel"]
            await other.delete()
        assert "permission" not in place.log().lower()
        assert "NOPERM" not in place.log()


async def test_each_says_at_its_start_who_it_is_and_no_password(tmp_path: Path) -> None:
    with machine(tmp_path) as place:
        await place.answers()
        guard(place)
        there = f"Redis at {place.url}, pagefleet {metadata.version('pagefleet')}"
        worker = place.start_worker(7, url=url(place, "worker"))
        place.url = url(place, "scheduler")
        scheduler = place.start_scheduler()
        name = socket.gethostname()

        async def have_started() -> bool:
            return place.log().count(" starts: ") == 2

        await wait_until(have_started)
        assert f"INFO pagefleet.worker: {name}:{worker.pid} starts: 7 slices at once, {there}\n" in place.log()
        assert f"INFO pagefleet.scheduler: {name}:{scheduler.pid} starts: {there}\n" in place.log()
        assert "-password" not in place.log()


@pytest.mark.invariant("S-10")
@pytest.mark.parametrize("role", ROLES)
async def test_what_a_role_may_not(tmp_path: Path, role: str) -> None:
    with machine(tmp_path) as place:
        await place.answers()
        guard(place)
        with Redis.from_url(url(place, role)) as redis:
            untyped: Any = redis
            for command in FORBIDDEN:
                with pytest.raises(RedisError) as refused:
                    untyped.execute_command(*command)
                words = str(refused.value)
                assert isinstance(refused.value, NoPermissionError) or REFUSAL.search(words), (command, words)
        with Redis.from_url(place.url) as nobody, pytest.raises(RedisError):
            nobody.ping()


# No pickle


@pytest.mark.invariant("S-7")
@pytest.mark.parametrize("read", [pickle.loads, pickle.Unpickler])
def test_the_suite_unpickles_nothing(read: Any) -> None:
    with pytest.raises(AssertionError, match="unpickled"):
        read(b"")


class Bomb:
    """Whoever unpickles it makes a directory."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.place),)


@pytest.mark.invariant("S-7")
async def test_a_pickle_in_the_queue_is_never_read(tmp_path: Path) -> None:
    """The worker drops it and goes on; the crawl behind it is whole."""
    with machine(tmp_path) as place, api() as server:
        await place.answers()
        bomb = pickle.dumps(Bomb(tmp_path / "burst"))
        with Redis.from_url(place.url) as redis:
            for number in range(3):
                redis.psetex(f"arq:job:bomb:{number}", 3_600_000, bomb)
                redis.psetex(f"arq:result:bomb:{number}", 3_600_000, bomb)
                redis.zadd("pagefleet:queue", {f"bomb:{number}": 1})
        place.start_worker()
        async with Fleet(place.url) as fleet:
            handle = await fleet.enqueue(Crawl.model_validate(description(server.url, "x", count=50)))
            assert len([one async for one in handle.documents()]) == 50

            async def is_empty() -> bool:
                return not await fleet.redis.zcard("pagefleet:queue")

            await wait_until(is_empty)
        assert not (tmp_path / "burst").exists()
        assert "unpickled" not in place.log()
