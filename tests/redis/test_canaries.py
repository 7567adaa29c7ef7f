"""Secrets that sing: they reach the crawl's origin, and are found nowhere else, whatever a server does with them.

Every value holds `c4n4ry`, so that one look for that word finds any of them, also one that is cut or escaped.
"""

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from pagefleet.crawl import Crawl
from pagefleet.errors import CrawlFailed, PagefleetError
from pagefleet.fleet import Fleet
from pagefleet.pages import documents
from tests.machine import machine

WORD = "c4n4ry"
HEADERS = {
    **{f"X-Key-{n:02}": f"Key env:CANARY_{n:02}" for n in range(17)},
    "Authorization": "Bearer env:CANARY_17",
    "Cookie": "env:CANARY_18",
    "Proxy-Authorization": "env:CANARY_19",
}
PARAMS = {f"key{n:02}": f"env:CANARY_{n:02}" for n in range(20, 40)}
BODY = {"q": 1, "deep": {"key": "env:CANARY_40"}}
CANARIES = {f"CANARY_{n:02}": f"{WORD}-{n:02}-+/={'x' * n}" for n in range(41)}
REDIRECTS = (301, 302, 303, 307, 308)
Answer = Callable[["Heard"], tuple[int, dict[str, str], Any]]


class Heard:
    """One request as it came."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("content-length", 0))
        self.url = f"http://{handler.headers['host']}"
        self.path, self.query = urlsplit(handler.path).path, urlsplit(handler.path).query
        self.headers = dict(handler.headers.items())
        self.body = handler.rfile.read(length).decode()
        self.params = dict(parse_qsl(self.query))

    @property
    def values(self) -> str:
        """All that a canary may be in, decoded."""
        return json.dumps([self.path, self.query, self.headers, self.body, self.params])


@contextmanager
def server(answer: Answer, host: str = "127.0.0.1") -> Generator[tuple[str, list[Heard]]]:
    heard: list[Heard] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            heard.append(Heard(self))
            status, headers, said = answer(heard[-1])
            body = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 — the base's names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 — the base's names
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server((host, 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=[0.01])
        thread.start()
        yield f"http://{host}:{listening.server_address[1]}", heard
        listening.shutdown()
        thread.join()


# To no other origin


def leading(place: str, where: str, status: int = 307) -> Answer:
    """A server that leads on to another origin, with all that it was given in the link."""

    def answer(heard: Heard) -> tuple[int, dict[str, str], Any]:
        to = f"{where}/there?{heard.query}&all={quote(heard.values)}" if place == "echoed" else f"{where}/there?a=b"
        if place == "redirect":
            return status, {"location": to}, {}
        if place == "header":
            return 200, {"link": f"<{to}>; rel=next"}, {"data": [1], "next": None}
        links = [{"rel": "next", "href": to, "method": "POST", "body": {"a": 1}, "merge": True}]
        return 200, {}, {"data": [{"url": to, "id": 1}], "next": "cursor" if place == "then" else to, "links": links}

    return answer


def ending(_: Heard) -> tuple[int, dict[str, str], Any]:
    return 200, {}, {"data": [2], "next": None, "links": [], "id": 3}


PLACES: dict[str, dict[str, Any]] = {
    "body": {"paginate": {"kind": "next_url", "next": "next"}},
    "echoed": {"paginate": {"kind": "next_url", "next": "next"}},
    "header": {"paginate": {"kind": "link_header"}},
    "object": {"paginate": {"kind": "link_object", "next": "links"}, "method": "POST", "body": BODY},
    "redirect": {"paginate": {"kind": "none"}},
    "each": {"paginate": {"kind": "none"}, "each": {"url": "{url}"}},
    "each host": {"paginate": {"kind": "none"}, "each": {"url": "{url}/x", "each": {"url": "{id}"}}},
}


def read_async(crawl: Crawl) -> list[bytes]:
    async def read() -> list[bytes]:
        async with documents(crawl) as flow:
            return [one async for one in flow]

    return asyncio.run(read())


def read_sync(crawl: Crawl) -> list[bytes]:
    return list(documents(crawl))


CASES = [(place, 307) for place in PLACES] + [("redirect", status) for status in REDIRECTS if status != 307]


@pytest.mark.invariant("S-1", "S-2")
@pytest.mark.parametrize("read", [read_async, read_sync], ids=["async", "sync"])
@pytest.mark.parametrize(("place", "status"), CASES, ids=str)
@pytest.mark.parametrize("is_listed", [False, True], ids=["unlisted", "listed"])
@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"])
def test_no_other_origin_hears_a_canary(
    read: Callable[[Crawl], Any], place: str, status: int, is_listed: bool, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another port, another host. By default nothing is sent there at all."""
    for name, value in CANARIES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PAGEFLEET_ALLOW", "127.0.0.0/8")
    with server(ending, host) as (other, there), server(leading(place, other, status)) as (home, here):
        described = {"url": home, "documents": "data", "headers": HEADERS, "params": PARAMS, **PLACES[place]}
        crawl = Crawl.model_validate({**described, "origins": [other] if is_listed else [], "limits": {"attempts": 1}})
        said = ""
        try:
            read(crawl)
        except PagefleetError as error:
            said = f"{error!r} {error}"
        assert WORD not in said
        sung = json.loads(here[0].values)
    given = [value for name, value in CANARIES.items() if name in str(described)]
    assert len(given) == 40 + ("body" in described)
    assert all(value in json.dumps(sung) or value in sung[4].values() for value in given)
    assert not [heard.values for heard in there if WORD in heard.values]
    assert bool(there) is is_listed


# Into nothing that is kept or said


def echoing(heard: Heard) -> tuple[int, dict[str, str], Any]:
    """It repeats all that it is given wherever it can: in links, redirects, headers, and errors of several kinds."""
    page, echo = int(heard.params.get("page", 1)), heard.values
    following = f"{heard.url}/things?{heard.query}&page={page + 1}"
    headers = {"x-echo": quote(echo)[:4000]}
    if heard.path == "/things" and page == 2:
        return 307, {"location": f"/moved?{heard.query}", **headers}, echo.encode()
    if page == 3 and "again" not in echo_state.setdefault(heard.url, ""):
        echo_state[heard.url] += "again"
        return 500, headers, echo.encode()
    if page == 4 and "late" not in echo_state[heard.url]:
        echo_state[heard.url] += "late"
        return 429, {"retry-after": "1", **headers}, echo.encode()
    if page == 5:
        is_well = heard.params["ends"] == "well"
        return (200, headers, {"data": [page]}) if is_well else (401, headers, echo.encode())
    return 200, headers, {"data": [page], "next": following}


echo_state: dict[str, str] = {}


def kept(place: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below a place: the append-only file, the logs, whatever there is."""
    for file in place.rglob("*"):
        if file.is_file():
            yield str(file), file.read_bytes()


@pytest.mark.invariant("S-8")
@pytest.mark.parametrize("ends", ["well", "badly"])
async def test_forty_canaries_and_one_through_a_crawl(tmp_path: Path, ends: str) -> None:
    """In no key, job, append-only file, log, error, repr or output."""
    with machine(tmp_path, **CANARIES, PAGEFLEET_TURN="0.1") as fleet_machine, server(echoing) as (home, heard):
        await fleet_machine.answers()
        fleet_machine.start_worker()
        fleet_machine.start_scheduler()
        crawl = Crawl.model_validate(
            {
                "name": "things",
                "url": f"{home}/things",
                "method": "POST",
                "body": BODY,
                "documents": "data",
                "headers": HEADERS,
                "params": {**PARAMS, "ends": ends},
                "paginate": {"kind": "next_url", "next": "next"},
            }
        )
        async with Fleet(fleet_machine.url) as fleet:
            redis: Any = fleet.redis
            handle = await fleet.enqueue(crawl)
            said = [repr(crawl)]
            try:
                said.append(repr(await handle.wait(60)))
            except CrawlFailed as error:
                said += [repr(error), str(error)]
            found = [name async for name in redis.scan_iter("*")]
            dumps = [await redis.dump(name) or b"" for name in found]
            for command in (["ls"], ["show", "things"], ["documents", "things"]):
                ran = await asyncio.to_thread(
                    subprocess.run,
                    [
                        sys.executable,
                        "-c",
                        "import pagefleet.cli; pagefleet.cli.main()",
                        *command,
                        "--redis",
                        fleet_machine.url,
                    ],
                    capture_output=True,
                    text=True,
                    check=False,
                    env={**os.environ, **CANARIES},
                    cwd=tmp_path,
                )
                assert ran.stdout
                said += [ran.stdout, ran.stderr]
        fleet_machine.end_all()
        kept_bytes = dict(kept(tmp_path))
    first = json.loads(heard[0].values)
    assert all(value in json.dumps(first) or value in first[4].values() for value in CANARIES.values())
    assert len(heard) >= 7, [one.path for one in heard]
    assert found
    assert not [text for text in said if WORD in text]
    assert not [name for name, dump in zip(found, dumps, strict=True) if WORD.encode() in name + dump]
    assert ("answered 401" in "".join(said)) is (ends == "badly")
    assert any("appendonly" in name for name in kept_bytes)
    assert not [name for name, content in kept_bytes.items() if WORD.encode() in content]
