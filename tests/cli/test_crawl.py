"""`pagefleet crawl` does everything on one machine, and its output holds each document once, whatever comes between."""

import json
import os
import random
import re
import signal
import subprocess
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from pagefleet.cli import airports
from pagefleet.errors import CrawlMissing, RedisUnusable
from pagefleet.fleet import Fleet
from pagefleet.status import Status
from tests.api import Api, description
from tests.cli.shell import COMMAND, ONE, REDIS, WORKER, Command, Shell, expected
from tests.machine import wait_until

SEED = int(os.environ.get("SEED", "20"))


def things(server: Api, shell: Shell, name: str = "things", count: int = 1000, **params: Any) -> Path:
    """A crawl file: ten documents a page, of a collection that is called as the crawl."""
    return shell.write(name, {**description(server.url, name, count=count, size=10, **params), "name": name})


@asynccontextmanager
async def looking(shell: Shell) -> AsyncGenerator[Fleet]:
    """At the crawls in this directory, while a command runs."""
    socket = shell.place / ".pagefleet" / "redis.sock"

    async def fact() -> Fleet | None:
        with suppress(RedisUnusable):
            return await Fleet(f"unix://{socket}").__aenter__()
        return None

    fleet = await wait_until(fact)
    try:
        yield fleet
    finally:
        await fleet.__aexit__(None, None, None)


async def running(shell: Shell, crawl_id: str, documents: int) -> Status:
    """The crawl, once it has so many documents and a worker has its lease."""
    async with looking(shell) as fleet:

        async def fact() -> Status | None:
            with suppress(CrawlMissing):
                status = await fleet.crawl(crawl_id).status()
                return status if status.worker and status.documents >= documents else None
            return None

        return await wait_until(fact)


# The demo's crawl, and the demo


@pytest.fixture(scope="module", name="demo", autouse=True)
def _demo(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Iterator[Command]:
    """It takes its time, and takes it while other tests run."""
    shell = Shell(tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("kept"), environment)
    yield shell.start("demo")
    shell.close()


async def test_datasette_is_drained_though_a_worker_is_killed_half_way(shell: Shell, tmp_path: Path) -> None:
    database = tmp_path / "airports.db"
    count = airports.build(database)
    async with airports.served(database, tmp_path / "datasette.log") as url:
        file = shell.write("airports", airports.description(url))
        crawl = shell.start("crawl", file, "-o", "airports.jsonl", "--workers", "3")
        await shell.holds("airports.jsonl", 1)
        held = await running(shell, "airports", count // 2)
        victim = int(held.worker.rpartition(":")[2])
        os.kill(victim, signal.SIGKILL)
        assert crawl.ends() == 0
    written = [json.loads(line) for line in (shell.place / "airports.jsonl").read_bytes().splitlines()]
    assert written == airports.rows(database)
    assert crawl.lines == [
        f"pagefleet: worker {victim} was killed by SIGKILL; another is started",
        f"pagefleet: airports finished: {count:,} documents, 283 pages, 6.29 MB; complete",
    ]


# Interrupted


async def test_a_crawl_goes_on_wherever_it_was_interrupted(server: Api, shell: Shell) -> None:
    """The same command again and again; each time the output holds whole documents, in order, from the first one."""
    chance = random.Random(SEED)
    file, out = things(server, shell, count=3000, delay=0.005), shell.place / "out.jsonl"
    written = 0
    for signum in chance.sample([signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGKILL], 4):
        crawl = shell.start("crawl", file, "-o", "out.jsonl", *ONE)
        moment = written + chance.randrange(1, 600)
        print(f"seed {SEED}: {signum.name} behind document {moment}")
        await shell.holds("out.jsonl", moment)
        crawl.interrupt(signum)
        if signum == signal.SIGKILL:
            assert crawl.ends() == -signal.SIGKILL
            await shell.is_left_to(REDIS)  # for whoever comes next
            written = out.read_bytes().count(b"\n")
        else:
            assert crawl.ends() == 130
            assert shell.roles() == []
            written = out.read_bytes().count(b"\n")
            assert out.read_bytes() == expected("things", written)
            assert crawl.lines[-2] == "pagefleet: draining; Ctrl-C again ends at once"
            assert re.fullmatch(
                rf"pagefleet: interrupted; things paused: {written:,} documents, {written // 10} pages, [\d.]+ kB; "
                rf"the same command goes on from here",
                crawl.error,
            )
    last = shell.run("crawl", file, "-o", "out.jsonl", *ONE)
    assert last.ends() == 0
    assert last.lines[0].startswith("pagefleet: things goes on behind document ")
    assert out.read_bytes() == expected("things", 3000)


async def test_a_crawl_in_slices_goes_on_wherever_it_was_interrupted(server: Api, shell: Shell) -> None:
    """The file holds every document once, in whatever order the slices are read."""
    slices = {"by": "range", "from": 0, "to": 3000, "params": {"since": "{from}", "until": "{to}"}}
    said = {**description(server.url, "things", count=3000, size=10, cap=300, delay=0.02), "cap": 300, "slices": slices}
    chance, count = random.Random(SEED), 3000
    file, out = shell.write("things", {**said, "name": "things"}), shell.place / "out.jsonl"
    written = 0
    for signum in (signal.SIGKILL, signal.SIGKILL, signal.SIGINT):  # the last one writes all that is there
        crawl = shell.start("crawl", file, "-o", "out.jsonl")
        moment = min(written + chance.randrange(1, 600), count - 300)
        print(f"seed {SEED}: {signum.name} behind document {moment}")
        await shell.holds("out.jsonl", moment)
        crawl.interrupt(signum)
        crawl.ends()
        if signum == signal.SIGKILL:
            await shell.is_left_to(REDIS)  # for whoever comes next
        written = out.read_bytes().count(b"\n")
    last = shell.run("crawl", file, "-o", "out.jsonl")
    assert last.ends() == 0, last.stderr
    assert "complete" in last.error
    assert sorted(out.read_bytes().splitlines(True)) == sorted(expected("things", count).splitlines(True))
    told = shell.run("show", "things").stdout.decode()
    assert re.search(r"^slices +(\d+), \1 of them over$", told, re.MULTILINE)
    assert re.search(r"^0\.0 +0 to \d+ +finished +\d+ +\d+$", told, re.MULTILINE) or "0.0.0" in told
    assert re.search(r"^0(\.\d+)+ +\d+ +\d+ +\d+ +200 +\d+ +\S+:\d+$", told, re.MULTILINE)  # its last page
    assert re.search(r"UTC +0(\.\d+)+ +\S+:\d+ +commit the last page +finished ", told)
    assert re.search(r"^things +finished +3,000 +3,000 ", shell.run("ls").stdout.decode(), re.MULTILINE)
    assert shell.run("audit", "things").ends() == 0


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGHUP])
async def test_a_crawl_that_has_hardly_begun_ends_too(server: Api, shell: Shell, signum: signal.Signals) -> None:
    """While its Redis starts, nothing can be drained."""
    crawl = shell.start("crawl", things(server, shell), "-o", "out.jsonl")

    async def fact() -> bool:
        return (shell.place / ".pagefleet" / "starting.lock").exists()

    await wait_until(fact)
    crawl.interrupt(signum)
    assert crawl.ends() == 130
    assert "Traceback" not in crawl.stderr


async def test_a_second_ctrl_c_ends_at_once(server: Api, shell: Shell) -> None:
    """Though a worker does not drain."""
    file = things(server, shell, delay=0.02)
    crawl = shell.start("crawl", file, "-o", "out.jsonl", *ONE)
    await shell.holds("out.jsonl", 50)
    for worker in shell.workers():
        os.kill(worker, signal.SIGSTOP)
    crawl.interrupt()
    await crawl.says("draining; Ctrl-C again ends at once")
    await shell.is_left_to(REDIS, WORKER, COMMAND)
    crawl.interrupt()
    assert crawl.ends(5) == 130
    assert shell.roles() == []
    assert "Traceback" not in crawl.stderr


async def test_a_reader_that_does_not_read_keeps_nobody_from_interrupting(server: Api, shell: Shell) -> None:
    file = things(server, shell)
    crawl = shell.start("crawl", file, *ONE, stdout=subprocess.PIPE)
    await running(shell, "things", 500)
    crawl.interrupt()
    await crawl.says("draining; Ctrl-C again ends at once")
    crawl.interrupt()
    assert crawl.ends(5) == 130
    assert "Traceback" not in crawl.stderr


# Where the documents go


async def test_only_documents_are_on_stdout(server: Api, shell: Shell) -> None:
    crawl = shell.run("crawl", things(server, shell, pad=1000), *ONE)
    assert crawl.ends() == 0
    assert crawl.stdout == expected("things", 1000, pad=1000)
    assert crawl.lines == ["pagefleet: things finished: 1,000 documents, 101 pages, 1.24 MB; complete"]


async def test_a_terminal_shows_how_it_goes(server: Api, shell: Shell) -> None:
    """Two lines that change in place; other lines stand above them, and at the end only those are left."""
    crawl = shell.start_on_terminal("crawl", things(server, shell, delay=0.02), "-o", "out.jsonl", *ONE)
    held = await running(shell, "things", 200)
    await crawl.says("documents/s")
    os.kill(int(held.worker.rpartition(":")[2]), signal.SIGKILL)
    await crawl.says("was killed by SIGKILL; another is started")
    crawl.interrupt()
    assert crawl.ends() == 130
    await crawl.says("the same command goes on from here")
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", crawl.stderr)
    assert re.search(r"^things +running +━.* [\d,]+ of 1,000 documents *$", text, re.MULTILINE)
    assert re.search(
        r"^\d+ pages · [\d.]+ kB · \d+ documents/s · ETA 0:\d\d · [01] workers? · lease: \S+:\d+ *$", text, re.MULTILINE
    )
    assert '"id"' not in text
    assert text.rstrip().splitlines()[-1].startswith("pagefleet: interrupted; things paused: ")


async def test_a_reader_that_has_had_enough(server: Api, shell: Shell) -> None:
    things(server, shell)
    crawl = shell.start_line("pagefleet crawl things.json --workers 1 | head -1; echo ${PIPESTATUS[0]}")
    assert crawl.ends() == 0
    assert crawl.stdout == expected("things", 1) + b"1\n"
    assert crawl.lines == ["pagefleet: writing documents to stdout: whoever read them has gone; the checkpoint is kept"]


async def test_what_has_finished_is_not_done_again(server: Api, shell: Shell) -> None:
    file, out = things(server, shell, count=30), shell.place / "out.jsonl"
    assert shell.run("crawl", file, "-o", "out.jsonl", *ONE).ends() == 0
    asked = len(server.asked("/c/things?count=30"))
    again = shell.run("crawl", file, "-o", "out.jsonl", *ONE)
    assert again.ends() == 0
    assert again.lines[0] == "pagefleet: things is finished already; to crawl again, give it another --name and -o"
    assert out.read_bytes() == expected("things", 30)
    out.unlink()
    assert shell.run("crawl", file, "-o", "out.jsonl", *ONE).ends() == 0
    assert out.read_bytes() == expected("things", 30)
    assert len(server.asked("/c/things?count=30")) == asked


async def test_a_file_that_is_not_this_crawls_is_not_touched(server: Api, shell: Shell) -> None:
    said, out = description(server.url, "things", count=30, size=10), shell.place / "out.jsonl"
    assert shell.run("crawl", shell.write("c", said), "-o", "out.jsonl", *ONE).ends() == 0
    mine = expected("things", 30)

    def refused(content: bytes, why: str, **edited: Any) -> None:
        out.write_bytes(content)
        again = shell.run("crawl", shell.write("c", {**said, **edited}), "-o", "out.jsonl")
        assert again.ends() == 2
        assert again.error.startswith(f"pagefleet: writing {out}: {why}")
        assert out.read_bytes() == content

    refused(mine, f"it holds {len(mine):,} bytes that are not from this crawl; move it away or", params={"new": 1})
    refused(
        b"x" * 10_000, "it does not hold what this crawl wrote to it; another file is there. Put the right one back"
    )
    refused(
        b"x", f"this crawl wrote {len(mine):,} bytes to it, and it holds 1 now; put it back, or remove it to have it"
    )
    assert not server.asked("/c/things?style=offset&count=30&size=10&new=1")  # it was not even started


async def test_one_file_has_one_writer(server: Api, shell: Shell) -> None:
    file = things(server, shell, delay=0.02)
    crawl = shell.start("crawl", file, "-o", "out.jsonl", *ONE)
    await shell.holds("out.jsonl", 1)
    assert not any("unix://" in said for said in shell.left().values())  # a URL may hold a password
    second = shell.run("crawl", file, "-o", "out.jsonl", *ONE)
    assert second.ends() == 2
    assert second.error == (
        f"pagefleet: opening {shell.place}/out.jsonl for the documents: another process is writing it; let it end, or "
        f"give another -o"
    )
    assert crawl.ends() == 0
    assert (shell.place / "out.jsonl").read_bytes() == expected("things", 1000)


async def test_two_crawls_in_one_directory_at_once(server: Api, shell: Shell) -> None:
    """Of one file, under two names."""
    file, names = things(server, shell, "one", delay=0.01), ("one", "two")
    crawls = [shell.start("crawl", file, "-o", f"{name}.jsonl", "--name", name, *ONE) for name in names]
    for name in names:
        await shell.holds(f"{name}.jsonl", 1)
    listed = shell.run("ls").stdout.decode().splitlines()
    assert listed[0].split()[:4] == ["id", "state", "documents", "of"]
    assert sorted(line.split()[0] for line in listed[1:]) == ["one", "two"]
    assert [crawl.ends() for crawl in crawls] == [0, 0]
    for name in names:
        assert (shell.place / f"{name}.jsonl").read_bytes() == expected("one", 1000)


async def test_a_bounded_crawl_whose_file_is_written(server: Api, shell: Shell) -> None:
    """Redis never holds more than the limit and a page."""
    said = {**description(server.url, "things", count=3000, size=100), "name": "things", "limits": {"backlog": 500}}
    crawl = shell.start("crawl", shell.write("things", said), "-o", "out.jsonl", *ONE)
    most = 0
    await shell.holds("out.jsonl", 1)
    async with looking(shell) as fleet:

        async def fact() -> bool:
            nonlocal most
            status = await fleet.crawl("things").status()
            most = max(most, status.backlog)
            return status.state.is_over

        await wait_until(fact)
    assert crawl.ends() == 0
    assert 0 < most <= 600
    assert (shell.place / "out.jsonl").read_bytes() == expected("things", 3000)


def test_the_demo_accounts_for_every_document(demo: Command) -> None:
    assert demo.ends() == 0
    steps = demo.stdout.decode().splitlines()
    assert [step.partition(".")[0] for step in steps] == list("1234567")
    count = re.search(r"^1\. ([\d,]+) airports", steps[0])
    killed = re.search(r"kill -9 (\d+).*, ([\d,]+) documents", steps[3])
    rescued = re.search(r"worker (\d+) goes on behind document ([\d,]+), after (\d+\.\d) s", steps[4])
    assert count
    assert killed
    assert rescued
    assert killed[1] != rescued[1]
    assert number(rescued[2]) >= number(killed[2]) > number(count[1]) // 2 > 12_500
    assert float(rescued[3]) < 10
    assert f"Finished: {count[1]} documents" in steps[5]
    assert steps[6] == (
        f"7. The server holds {count[1]} documents, the stream {count[1]}: 0 missing, 0 duplicated, 0 different."
    )
    assert all(" documents · " in line for line in demo.stderr.splitlines())


def number(digits: str) -> int:
    return int(digits.replace(",", ""))


# A finished crawl that is not whole


async def test_a_crawl_that_is_not_whole_ends_with_a_status_of_its_own(shell: Shell, server: Api) -> None:
    short = {**description(server.url, "short", count=25, size=10), "paginate": {"kind": "none"}, "name": "short"}
    command = shell.start("crawl", str(shell.write("short", short)), "-o", "short.jsonl", *ONE)
    assert command.ends() == 3
    assert "truncated: 10 documents, but the source declared 25" in command.error
    again = shell.start("crawl", str(shell.write("short", short)), "-o", "short.jsonl", *ONE)
    assert again.ends() == 3
