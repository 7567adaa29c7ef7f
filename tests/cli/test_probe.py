"""`pagefleet probe`, and `pagefleet crawl` of a URL: what is said, what is written, and with which status it ends."""

import tomllib
from pathlib import Path

import pytest

from pagefleet.crawlfile import parse
from tests.api import Api, say
from tests.cli.shell import ONE, Shell, expected

JSON = {"content-type": "application/json"}


def things(server: Api, **params: object) -> str:
    """A collection of 47 documents, ten a page."""
    query = "&".join(f"{name}={value}" for name, value in {"count": 47, "style": "page", **params}.items())
    return f"{server.url}/c/things?{query}"


def nothing_certain(server: Api) -> str:
    return say(server.url, '{"a": [{"x": 1}, {"x": 2}]}', headers=JSON)


def kept(shell: Shell) -> list[Path]:
    return sorted((shell.place / ".pagefleet" / "probes").glob("*"))


def test_what_is_printed_is_a_crawl_file(server: Api, shell: Shell) -> None:
    """Also where nobody reads it but a file; what is said to people is said on stderr."""
    command = shell.run("probe", things(server))
    assert command.ends() == 0
    text = command.stdout.decode()
    crawl = parse(tomllib.loads(text))
    assert (crawl.documents, crawl.key, crawl.total, crawl.paginate.kind) == ("data", "id", "meta.total", "page")
    told = [line.split()[1:4] for line in text.splitlines()[2:4]]
    assert told == [["documents", "data", "verified"], ["key", "id", "verified"]]
    assert len([line for line in text.splitlines() if line and not line.startswith("#")]) <= 10
    assert [line.partition(" with ")[0] for line in command.lines] == [f"pagefleet: probed {server.url}/c/things?…"]


def test_a_file_is_written_and_never_over_another(server: Api, shell: Shell) -> None:
    first = shell.run("probe", things(server), "-o", "crawl.toml")
    assert first.ends() == 0
    written = shell.place / "crawl.toml"
    assert written.read_bytes() == first.stdout
    again = shell.run("probe", things(server), "-o", "crawl.toml")
    assert again.ends() == 0
    assert written.read_bytes() == first.stdout
    other = shell.run("probe", things(server, style="offset"), "-o", "crawl.toml")
    assert other.ends() == 2
    assert other.error == "pagefleet: writing crawl.toml: it holds something else; move it away or give another -o"
    assert written.read_bytes() == first.stdout


def test_what_is_not_certain_ends_with_4(server: Api, shell: Shell) -> None:
    """Nothing is written, nothing is started; what was tried stands in comments."""
    probe = shell.run("probe", nothing_certain(server), "-o", "crawl.toml")
    crawl = shell.run("crawl", nothing_certain(server), "-o", "o.jsonl", *ONE)
    assert (probe.ends(), crawl.ends()) == (4, 4)
    assert "nothing leads to a second page, and nothing says that there is none" in probe.error
    assert "nothing leads to a second page, and nothing says that there is none" in crawl.error
    text = probe.stdout.decode()
    assert tomllib.loads(text)["documents"] == "a"
    assert "paginate" not in tomllib.loads(text)
    assert '# paginate = { kind = "page", param = "page" }' in text
    assert [path.name for path in shell.place.iterdir()] == []


def test_a_url_is_crawled_and_gone_on_with(server: Api, shell: Shell) -> None:
    """The second command asks the server nothing: it goes by what was kept."""
    url = things(server, style="cursor", total=0)
    first = shell.run("crawl", url, "-o", "o.jsonl", *ONE)
    assert first.ends() == 0
    assert (shell.place / "o.jsonl").read_bytes() == expected("things", 47)
    (file,) = kept(shell)
    assert f"; kept in .pagefleet/probes/{file.name}" in first.lines[0]
    assert 'documents at data; paginate = { kind = "cursor"' in first.lines[0]
    asked = len(server.asked("/c/things"))
    second = shell.run("crawl", url, "-o", "o.jsonl", *ONE)
    assert second.ends() == 0
    assert "as it was probed before" in second.lines[0]
    assert len(server.asked("/c/things")) == asked
    assert (shell.place / "o.jsonl").read_bytes() == expected("things", 47)


async def test_an_interrupted_crawl_of_a_url_goes_on(server: Api, shell: Shell) -> None:
    url = f"{server.url}/c/slow?count=200&style=page&delay=0.05"
    first = shell.start("crawl", url, "-o", "o.jsonl", *ONE)
    await shell.holds("o.jsonl", 20)
    first.interrupt()
    assert first.ends() == 130
    assert shell.run("crawl", url, "-o", "o.jsonl", *ONE).ends() == 0
    assert (shell.place / "o.jsonl").read_bytes() == expected("slow", 200)


def test_a_secret_is_sent_and_never_written(server: Api, shell: Shell) -> None:
    shell.environment["PROBE_TOKEN"] = "hunter2"
    url = f"{server.url}/c/secret?count=35&style=page"
    command = shell.run("crawl", url, "-H", "Authorization: Bearer env:PROBE_TOKEN", "-o", "o.jsonl", *ONE)
    assert command.ends() == 0
    assert {one.authorization for one in server.asked("/c/secret")} == {"Bearer hunter2"}
    files = [file for file in shell.place.rglob("*") if file.is_file()]
    assert files
    assert not [file for file in files if b"hunter2" in file.read_bytes()]


@pytest.mark.parametrize(
    ("words", "status", "error"),
    [
        (["probe", "crawl.toml"], 2, "probing crawl.toml: write a whole URL, such as https://api.example.org/things"),
        (["probe", "http://127.0.0.1:9/", "-H", "Token"], 2, "reading -H 'Token': write a name and a value, such as"),
        (["crawl", "crawl.toml", "-H", "A: b"], 2, "crawling by crawl.toml: -H goes with a URL; write headers into"),
        (["probe", "http://127.0.0.1:9/?api_key=x"], 2, "the secret api_key in url would be stored with the crawl"),
        (["crawl", "http://a:b@127.0.0.1:9/"], 2, "leave the user and password out and send an Authorization header"),
        (["probe", "http://127.0.0.1:9/", "-o", "no/crawl.toml"], 2, "writing no/crawl.toml: there is no directory no"),
        (["probe", "http://127.0.0.1:9/", "-o", "crawl.json"], 2, "a crawl file that is written here is TOML"),
    ],
)
def test_what_is_refused(shell: Shell, words: list[str], status: int, error: str) -> None:
    """Before anything is asked."""
    command = shell.run(*words)
    assert command.ends() == status
    assert error in command.error


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, "no such thing", "the server answered 404 'no such thing'; check the URL"),
        (401, "", "give -H 'Authorization: Bearer env:TOKEN', or whatever the API wants"),
        (
            200,
            "<!doctype html><title>Sign in</title><input type=password>",
            "a page 'Sign in' that asks for a password",
        ),
    ],
)
def test_what_is_no_collection(server: Api, shell: Shell, status: int, body: str, error: str) -> None:
    command = shell.run("probe", say(server.url, body, status=status, headers={"content-type": "text/html"}))
    assert command.ends() == 1
    assert error in command.error
