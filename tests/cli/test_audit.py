"""`pagefleet audit`: what it says of a crawl that a fleet has finished, and of one in which something was planted."""

from redis import Redis

from pagefleet.keys import SliceKeys
from tests.api import Api, description
from tests.cli.shell import ONE, Command, Shell
from tests.machine import Machine

KEYS = SliceKeys("things")


def audited(shell: Shell, status: int) -> list[str]:
    """What it prints."""
    command: Command = shell.run("audit", "things")
    assert command.ends() == status, command.stderr
    return command.stdout.decode().splitlines()


async def test_a_crawl_of_our_own_is_audited(server: Api, shell: Shell) -> None:
    file = shell.write("things", {**description(server.url, "things", count=1200, size=600), "name": "things"})
    assert shell.run("crawl", file, "-o", "out.jsonl", *ONE).ends() == 0
    assert audited(shell, 0) == [
        "things is finished",
        "checked: 3 pages, 1,200 documents against their digests, 1,200 keys",
        "whole: from the start to the end, each page once",
    ]
    missing = shell.run("audit", "nothing")
    assert missing.ends() == 2
    assert missing.error.startswith("pagefleet: looking up the crawl nothing: there is none")


async def test_what_was_planted_in_a_shared_redis_is_found(server: Api, shell: Shell, redis: Machine) -> None:
    await redis.answers()
    shell.environment["REDIS_URL"] = redis.url
    file = shell.write("things", {**description(server.url, "things", count=30), "name": "things"})
    assert shell.run("crawl", file, "-o", "out.jsonl", *ONE).ends() == 0
    with Redis.from_url(redis.url) as there:
        there.xdel(KEYS.documents, "2-4")
        assert audited(shell, 3)[-2:] == ["gap: page 2: document 4 is not in the stream", "not whole"]
        there.xdel(KEYS.ledger, "3-0")
        assert any(line.startswith("gap: page 3 is not in the ledger") for line in audited(shell, 3))


async def test_a_crawl_that_is_not_finished_is_not_whole(server: Api, shell: Shell, redis: Machine) -> None:
    await redis.answers()
    shell.environment["REDIS_URL"] = redis.url
    file = shell.write("things", {**description(server.url, "things"), "name": "things"})
    assert shell.run("enqueue", file).ends() == 0
    assert audited(shell, 3) == [
        "things is queued",
        "checked: 0 pages, 0 documents against their digests, 0 keys",
        "unfinished: it is queued, and stands before page 1",
        "not whole",
    ]
