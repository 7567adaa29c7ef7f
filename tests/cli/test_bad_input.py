"""Whatever is wrong is said in one clear line on stderr: what was being done, what was found, and what to do.

What a crawl has delivered until then is kept: when the cause is mended, the same command goes on.
"""

import random
import re
import shlex
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from redis.asyncio import Redis

from tests.api import Api, api, description
from tests.cli.shell import ONE, Command, Shell, expected
from tests.machine import Machine

URL = 'url = "http://127.0.0.1:1/"\n'
OFFSET = 'paginate = { kind = "offset" }\n'
FILES: dict[str, bytes] = {
    "good.toml": f"{URL}{OFFSET}".encode(),
    "typo.toml": f'{URL}{OFFSET}documnets = "data"'.encode(),
    "secret.toml": f'{URL}{OFFSET}headers = {{ Authorization = "Bearer hunter2" }}'.encode(),
    "odd.toml": f'{URL}{OFFSET}name = "a b/c"'.encode(),
    "syntax.toml": b"url = ",
    "empty.toml": b"",
    "binary.toml": b"\x00\xff\xfe",
}
ADVICE = "write redis://host:6379/0, rediss://..., unix:///path or sentinel://host:26379/service"


@dataclass(frozen=True)
class Refusal:
    """A command that ends before any worker starts. In the error, a line for each mistake, … stands for anything."""

    line: str
    error: str
    status: int = 2


NOTHING = "looking up the crawl nothing: there is none in this Redis; `pagefleet ls` lists them"
REFUSALS = [
    # The crawl file
    Refusal("crawl typo.toml", "…file typo.toml: documnets is 'data': there is no such field; did you mean documents?"),
    Refusal(
        "crawl empty.toml",
        'reading the crawl file empty.toml:\n  url is missing: add url = "https://..."\n'
        "  paginate is missing: add [paginate] with kind = …",
    ),
    Refusal("crawl secret.toml", "…file secret.toml: …the secret Authorization in headers would be stored…; put it …"),
    Refusal("crawl odd.toml", "…file odd.toml: name is 'a b/c': use 1 to 100 letters, digits, dots, dashes or …"),
    Refusal("crawl syntax.toml", "reading the crawl file syntax.toml as TOML: Invalid value (…); correct it"),
    Refusal("crawl binary.toml", "…binary.toml: it is not text (byte 1 is 0xff); give the path of a TOML or JSON file"),
    Refusal("crawl none.toml", "…none.toml: No such file or directory; give the path of a TOML or JSON file"),
    Refusal("enqueue .", "reading the crawl file .: Is a directory; give the path of a TOML or JSON file"),
    # The command line
    Refusal("crawl good.toml --workers 0", "…'--workers': Input should be greater than or equal to 1; `… --help` …"),
    Refusal("crawl good.toml --wrokers 1", "…No such option: --wrokers…--workers…; `pagefleet crawl --help` says …"),
    # The output
    Refusal("crawl good.toml -o .", "opening … for the documents: it is a directory; give the path of a file"),
    Refusal("crawl good.toml -o no/o.jsonl", "opening …: there is no directory …/no; make it or give another -o"),
    Refusal("crawl good.toml -o good.toml/o.jsonl", "opening …: …/good.toml is not a directory; give another -o"),
    # The Redis
    Refusal("ls --redis localhost", f"reading the Redis URL localhost: {ADVICE}"),
    Refusal("ls --redis ''", f"reading the Redis URL : {ADVICE}"),
    Refusal(
        "ls --redis 'redis://:hunter2/x@host'",
        "reading the Redis URL redis://...: write what is no letter or digit in its password as …",
    ),
    Refusal("ls --redis redis://localhost/mine", "…: a database is a number, and here it is 'mine'"),
    Refusal("ls --redis 'redis://localhost?colour=red'", "reading the Redis URL …: there is no option 'colour'"),
    Refusal(
        "crawl good.toml --redis redis://nobody:hunter2@127.0.0.1:1",
        "connecting to Redis at redis://127.0.0.1:1: …; start it, or give another --redis",
        status=1,
    ),
    Refusal("worker", "starting a worker: there is no Redis to share; give --redis URL or set REDIS_URL"),
    Refusal(
        "worker --redis unix:///no/where",
        "connecting to Redis at unix:///no/where: …; start it, or give another --redis",
        status=1,
    ),
    # A crawl that is not there
    Refusal("show nothing", NOTHING),
    Refusal("documents nothing -o o.jsonl", NOTHING),
]


@pytest.fixture(scope="module", name="refused", autouse=True)
def _refused(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Iterator[dict[str, Command]]:
    """All those commands, given at once in one directory; they run while other tests do."""
    shell = Shell(tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("kept"), environment)
    (shell.place / ".pagefleet").mkdir()
    for name, content in FILES.items():
        (shell.place / name).write_bytes(content)
    yield {refusal.line: shell.start(*shlex.split(refusal.line)) for refusal in REFUSALS}
    shell.close()


def matches(error: str, pattern: str) -> bool:
    """Whether an error line is this one; … stands for anything."""
    return re.fullmatch(f"pagefleet(?: worker)?: {'.*'.join(map(re.escape, pattern.split('…')))}", error) is not None


def test_a_directory_without_crawls(shell: Shell) -> None:
    listed = shell.run("ls")
    assert listed.ends() == 2
    assert matches(listed.error, "looking for crawls: there is no .pagefleet/ in …, and no --redis was given; go to …")
    assert not (shell.place / ".pagefleet").exists()


def test_an_environment_that_makes_no_sense(shell: Shell) -> None:
    shell.environment["PAGEFLEET_LEASE"] = "long"
    crawl = shell.run("demo")
    assert crawl.ends() == 2
    assert matches(crawl.error, "reading PAGEFLEET_... from the environment: …lease: …; correct or unset it")


def test_a_name_that_another_crawl_has(server: Api, shell: Shell) -> None:
    said = {**description(server.url, "things"), "name": "things"}
    assert shell.run("enqueue", shell.write("things", said)).ends() == 0
    other = shell.run("crawl", shell.write("things", {**said, "documents": "dta"}), "-o", "o.jsonl", *ONE)
    assert other.ends() == 2
    assert matches(
        other.error,
        "enqueueing things: another crawl has this name, with another documents; give this one another name, or …",
    )


# What a source or an output does: the crawl fails, and goes on when that is mended


def free_port() -> int:
    """Below those that the kernel gives away by itself: none of the other servers here gets it later."""
    while True:
        with suppress(OSError), socket.create_server(("127.0.0.1", random.randrange(20_000, 30_000))) as free:
            return int(free.getsockname()[1])


@dataclass(frozen=True)
class Failure:
    """A crawl that begins and fails. In what it says, … stands for anything."""

    error: str
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Of the server: what is wrong the first time."""
    edits: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Of the crawl."""
    output: str = ""
    is_mended: bool = False
    """Is the same command to go on at a second time?"""


MEND = "all is kept: mend that and give the same command again"
NOBODY = free_port()
"""A port at which nobody answers."""
REFUSED = f"http://127.0.0.1:{NOBODY}: cannot connect to 127.0.0.1:{NOBODY}: Connection refused"
FAILURES = {
    "missing": Failure(
        "crawl missing failed behind 0 documents: fetching http://…/c/missing?…: the server answered 404 'made to "
        "fail'; check the crawl's url; all is kept, and the same command goes on",
        {"fault": "404", "times": 1},
        is_mended=True,
    ),
    "html": Failure(
        "crawl html failed behind 0 documents: reading http://…/c/html?… (text/html…): the page is not JSON (…): it "
        "starts with '<html>…'; all is kept, and the same command goes on",
        {"fault": "html", "times": 1},
        is_mended=True,
    ),
    "path": Failure(
        "crawl path failed behind 0 documents: reading http://…/c/path?… (application/json): no 'dta' in the page: an "
        "object with the members 'meta', 'data'; correct the crawl's documents='dta'; all is kept, and …",
        edits={"documents": "dta"},
    ),
    "host": Failure(
        f"crawl host failed behind 0 documents: fetching http://127.0.0.1:{NOBODY}/c/host?…: cannot connect to "
        f"127.0.0.1:{NOBODY}: Connection refused, at each of 4 attempts; try again later; all is kept, and the same "
        "command goes on",
        edits={"url": f"http://127.0.0.1:{NOBODY}/c/host?count=10", "limits": {"attempts": 4}},
        is_mended=True,
    ),
    "full": Failure(
        f"writing documents to /dev/full: No space left on device; {MEND}",
        output="/dev/full",
    ),
}


@dataclass(frozen=True)
class Failed:
    """Those crawls run, all at once in one directory."""

    shell: Shell
    words: Mapping[str, tuple[str, ...]]
    first: Mapping[str, Command]


@pytest.fixture(scope="module", name="failed", autouse=True)
def _failed(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str], server: Api) -> Iterator[Failed]:
    shell = Shell(tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("kept"), environment)
    words: dict[str, tuple[str, ...]] = {}
    for name, failure in FAILURES.items():
        served = description(server.url, name, "next_url", count=10, size=10, **failure.params)
        file = shell.write(name, {**served, **failure.edits, "name": name})
        words[name] = ("crawl", str(file), "-o", failure.output or f"{name}.jsonl", *ONE)
    yield Failed(shell, words, {name: shell.start(*line) for name, line in words.items()})
    shell.close()


@pytest.fixture(scope="module", name="poisoned", autouse=True)
def _poisoned(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str], server: Api) -> Iterator[Command]:
    """A crawl whose workers cannot start."""
    shell = Shell(tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("kept"), environment)
    (shell.place / "arq.py").write_text('raise RuntimeError("this is not arq")')
    yield shell.start("crawl", shell.write("things", description(server.url, "things", count=10)), *ONE)
    shell.close()


# A Redis that cannot be used


@pytest.mark.invariant("O-1")
async def test_a_redis_that_would_lose_documents(server: Api, shell: Shell, redis: Machine) -> None:
    await redis.answers()
    shell.environment["REDIS_URL"] = redis.url
    file = shell.write("things", description(server.url, "things", count=10))
    async with Redis.from_url(redis.url) as client:
        await client.config_set("maxmemory-policy", "allkeys-lru")
        crawl = shell.run("crawl", file, "-o", "o.jsonl", *ONE)
        assert crawl.ends() == 1
        assert matches(
            crawl.error,
            "checking Redis at unix:…: its maxmemory-policy is allkeys-lru, which drops documents and checkpoints in "
            "silence; set it to noeviction (redis-cli config set maxmemory-policy noeviction)",
        )
        await client.config_set("maxmemory-policy", "noeviction")
        assert shell.run("ls").ends() == 0


async def test_a_redis_with_another_password(shell: Shell, redis: Machine) -> None:
    await redis.answers()
    async with Redis.from_url(redis.url) as client:
        await client.config_set("requirepass", "right")
    urls = (redis.url, redis.url.replace("unix://", "unix://:wrong@"))
    for listed in [shell.start("ls", "--redis", url) for url in urls]:
        assert listed.ends() == 1
        assert matches(listed.error, "connecting to Redis at unix:…: …; check user and password in the URL")
        assert "wrong@" not in listed.stderr


def test_a_server_that_is_no_redis(server: Api, shell: Shell) -> None:
    shell.environment["REDIS_URL"] = server.url.replace("http://", "redis://")
    listed = shell.run("ls")
    assert listed.ends() == 1
    assert matches(listed.error, "connecting to Redis at redis://127.0.0.1:…: …; that is no Redis: check host and port")


# An output that cannot be written to its end


async def test_a_file_that_grows_too_large(server: Api, shell: Shell, redis: Machine) -> None:
    await redis.answers()
    shell.environment["REDIS_URL"] = redis.url
    shell.environment["PYTHONDONTWRITEBYTECODE"] = "1"  # Python would cut what it has compiled to this size
    shell.write("things", description(server.url, "things", count=1000, size=100))
    crawl = shell.start_line("ulimit -f 100; pagefleet crawl things.json --workers 1 -o o.jsonl")
    assert crawl.ends() == 1
    out = shell.place / "o.jsonl"
    assert crawl.lines == [f"pagefleet: writing documents to {out}: File too large; {MEND}"]
    assert 0 < out.stat().st_size <= 100 * 1024
    assert shell.run("crawl", "things.json", "-o", "o.jsonl", *ONE).ends() == 0
    assert out.read_bytes() == expected("things", 1000)


# How the commands fared that were given at the beginning


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.line)
def test_a_command_that_cannot_be_carried_out(refused: dict[str, Command], refusal: Refusal) -> None:
    command = refused[refusal.line]
    assert command.ends() == refusal.status
    assert matches(command.stderr.strip(), refusal.error), command.stderr
    assert command.stderr.count("\n") == refusal.error.count("\n") + 1
    assert "hunter2" not in command.stderr
    assert command.stdout == b""


@pytest.mark.parametrize("name", FAILURES)
def test_a_crawl_that_fails(failed: Failed, name: str) -> None:
    command = failed.first[name]
    assert command.ends() == 1
    (line,) = command.lines
    assert matches(line, FAILURES[name].error), line
    assert "Traceback" not in command.stderr


def test_what_failed_goes_on_when_it_is_mended(failed: Failed) -> None:
    mended = [name for name, failure in FAILURES.items() if failure.is_mended]
    with api(port=NOBODY):
        for name, command in {name: failed.shell.start(*failed.words[name]) for name in mended}.items():
            assert command.ends() == 0
            assert command.lines[0] == f"pagefleet: {name} had failed, and goes on behind document 0"
            assert (failed.shell.place / f"{name}.jsonl").read_bytes() == expected(name, 10)


async def test_a_host_that_does_not_answer_is_not_waited_for_in_silence(server: Api, shell: Shell) -> None:
    nobody = {"url": f"http://127.0.0.1:{NOBODY}/c/host?count=10", "limits": {"attempts": 99}}
    crawl = shell.start("crawl", shell.write("host", {**description(server.url, "host"), **nobody}), *ONE)
    await crawl.says(f" · tries again: {REFUSED}")
    crawl.interrupt()
    assert crawl.ends() == 130


def test_a_worker_that_cannot_start(poisoned: Command) -> None:
    """Its reason is told, and it is not started for ever."""
    assert poisoned.ends() == 1
    died = "worker … ended with status 1: RuntimeError: this is not arq; "
    assert [matches(line, f"{died}another is started") for line in poisoned.lines] == [True, True, False]
    assert matches(poisoned.error, f"{died}so did 2 before it; mend that, and see .pagefleet/workers.log")
