"""The commands of a fleet, which share a Redis that is given by --redis or REDIS_URL."""

import os
import re
import signal
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from pagefleet.fleet import Fleet
from pagefleet.states import State
from pagefleet.status import Status
from tests.api import Api, description
from tests.cli.shell import WORKER, Command, Shell, expected
from tests.machine import Machine, wait_until


@pytest.fixture(name="fleet")
async def _fleet(redis: Machine, shell: Shell) -> AsyncGenerator[Fleet]:
    """The fleet that all commands work on."""
    await redis.answers()
    shell.environment["REDIS_URL"] = redis.url
    async with Fleet(redis.url) as fleet:
        yield fleet


def said(server: Api, name: str, count: int = 1000, size: int = 10, **params: Any) -> dict[str, Any]:
    """A crawl of a collection that is called as the crawl."""
    return {**description(server.url, name, count=count, size=size, **params), "name": name}


async def until(fleet: Fleet, crawl_id: str, state: State, documents: int = 0) -> Status:
    """The crawl, once it is in this state and has so many documents."""

    async def fact() -> Status | None:
        status = await fleet.crawl(crawl_id).status()
        return status if status.state is state and status.documents >= documents else None

    return await wait_until(fact)


def words(command: Command) -> str:
    """What a command that finished printed, in one line."""
    assert command.ends() == 0, command.stderr
    return command.stdout.decode().strip()


async def test_a_crawl_is_steered_from_the_command_line(server: Api, shell: Shell, fleet: Fleet) -> None:
    file = shell.write("things", said(server, "things", delay=0.01))
    assert [words(command) for command in [shell.start("enqueue", file) for _ in range(2)]] == ["things", "things"]
    listed, paused = shell.start("ls"), shell.start("pause", "things")
    assert re.search(r"^things +(queued|paused) +0 +\? +0 +0 ", words(listed), re.MULTILINE)
    assert words(paused) == "paused"
    worker, scheduler = shell.start("worker"), shell.start("scheduler", "--redis", fleet.url)
    reader = shell.start("documents", "things", "-o", "out.jsonl")
    await reader.says("waits for `pagefleet resume things`")
    assert words(shell.run("resume", "things")) == "queued"
    whole = shell.start("documents", "things")
    assert words(reader) == ""
    assert (shell.place / "out.jsonl").read_bytes() == expected("things", 1000)
    assert whole.ends() == 0
    assert whole.stdout == expected("things", 1000)
    again, show = shell.start("documents", "things", "-o", "out.jsonl"), shell.start("show", "things")
    assert words(again) == ""  # it has them all
    assert (shell.place / "out.jsonl").read_bytes() == expected("things", 1000)
    shown = words(show)
    assert re.search(r"^state +finished$", shown, re.MULTILINE)
    assert re.search(r"^documents +1,000 of 1,000$", shown, re.MULTILINE)
    assert re.search(rf"^reader +file:{shell.place}/out.jsonl, done with 100-9$", shown, re.MULTILINE)
    assert re.search(r"person +pause +paused", shown)
    assert re.search(r"UTC +\S+:\d+ +commit the last page +finished +page 101$", shown, re.MULTILINE)
    forget, cancel = shell.start("forget", "things", f"file:{shell.place}/out.jsonl"), shell.start("cancel", "things")
    assert [words(command) for command in (forget, cancel)] == ["", "finished"]
    assert await fleet.crawl("things").consumers() == {}
    for command in (worker, scheduler):
        command.interrupt(signal.SIGTERM)
        assert command.ends() == 0


@pytest.mark.usefixtures("fleet")
async def test_who_enqueues_again_is_told_why_nothing_happens(server: Api, shell: Shell) -> None:
    file = shell.write("things", said(server, "things", count=500, delay=0.1))
    free = "give this one another --name, or `pagefleet delete things` first"
    for verb, told in (
        ("pause", "things was there already, paused; `pagefleet resume things` goes on with it"),
        ("cancel", f"things was there already, and is cancelled for good; {free}"),
    ):
        assert shell.run("enqueue", file).lines == []
        shell.run(verb, "things")
        again = shell.run("enqueue", file)
        assert again.ends() == 0
        assert again.lines == [f"pagefleet: {told}"]
        shell.run("resume", "things")
    assert words(shell.run("delete", "things")) == ""
    assert words(shell.run("ls")).count("things") == 0
    assert words(shell.run("enqueue", file)) == "things"
    for line, error in (
        ("delete things", "deleting things: it is queued; cancel it first"),
        ("forget things me", "forgetting me: it does not read things; `pagefleet show things` says who does"),
    ):
        refused = shell.run(*line.split())
        assert (refused.ends(), refused.error) == (2, f"pagefleet: {error}")


@pytest.mark.usefixtures("fleet")
async def test_a_cancelled_crawl_is_cancelled_for_good(server: Api, shell: Shell) -> None:
    file = shell.write("things", said(server, "things"))
    shell.run("enqueue", file)
    assert words(shell.run("cancel", "things")) == "cancelled"
    crawl = shell.run("crawl", file, "-o", "out.jsonl")
    assert crawl.ends() == 1
    assert crawl.lines[0] == "pagefleet: things was cancelled, for good; to crawl again, give it another --name and -o"
    assert crawl.error == "pagefleet: crawl things was cancelled behind 0 documents, for good"


@pytest.fixture(autouse=True)
def _allowed(shell: Shell) -> None:
    """Workers of a fleet go to no private address, unless they are told to."""
    shell.environment["PAGEFLEET_ALLOW"] = "127.0.0.1"


async def test_several_worker_processes(server: Api, shell: Shell, redis: Machine, fleet: Fleet) -> None:
    """One that is killed is replaced, and a SIGTERM drains all. A password is in nobody's arguments."""
    await fleet.redis.config_set("requirepass", "hunter2")
    shell.environment["REDIS_URL"] = redis.url.replace("unix://", "unix://:hunter2@")
    words(shell.run("enqueue", shell.write("things", said(server, "things", delay=0.05))))
    parent = shell.start("worker", "--processes", "2")
    held = await until(fleet, "things", State.RUNNING, 50)
    await shell.is_left_to(WORKER, WORKER, WORKER)
    assert "hunter2" not in " ".join(shell.left().values())
    before = shell.workers()
    (idle,) = before - {parent.process.pid, int(held.worker.rpartition(":")[2])}
    os.kill(idle, signal.SIGKILL)
    await parent.says(f"pagefleet worker: process {idle} ended with -9; starting another")

    async def replaced() -> bool:
        return len(shell.workers()) == 3 and idle not in shell.workers()

    await wait_until(replaced)
    parent.process.terminate()
    assert parent.ends() == 0
    assert shell.roles() == []
    left = await fleet.crawl("things").status()
    assert (left.state, left.worker) == (State.QUEUED, "")


@pytest.mark.invariant("L-1")
async def test_a_crawl_that_nobody_reads(server: Api, shell: Shell, fleet: Fleet) -> None:
    """It snoozes at its limit and goes on as it is read; what is dropped then is told to whoever comes too late."""
    bounded = {**said(server, "things", 3000, size=100), "limits": {"backlog": 500}}
    words(shell.run("enqueue", shell.write("things", bounded)))
    servants = [shell.start("worker"), shell.start("scheduler")]
    full = await until(fleet, "things", State.SNOOZED)
    assert full.reason == "backlog"
    assert 500 <= full.backlog <= 600
    glance = shell.start_line("pagefleet documents things | head -1")
    assert glance.ends() == 0
    assert glance.stdout == expected("things", 1)
    assert "Traceback" not in glance.stderr
    assert await fleet.crawl("things").consumers() == {}  # for nobody waits for it to come back
    whole = shell.run("documents", "things")
    assert whole.ends() == 0
    assert whole.stdout == expected("things", 3000)
    assert "things snoozed: " in whole.stderr
    status = await until(fleet, "things", State.FINISHED)
    late = shell.run("documents", "things")
    assert late.ends() == 2
    assert late.error == (
        f"pagefleet: reading things: the documents up to {status.trimmed} have been read, and dropped to make room; "
        f"give --rest for those behind them"
    )
    rest = shell.run("documents", "things", "--rest")
    assert rest.ends() == 0
    assert rest.stdout == expected("things", 3000)[-len(rest.stdout) :]
    assert rest.stdout.count(b"\n") == status.backlog
    for servant in servants:
        servant.interrupt(signal.SIGTERM)
        assert servant.ends() == 0
