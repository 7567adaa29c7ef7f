"""One request through both clients: what comes back, what is bounded, what is never told."""

import asyncio
import re
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path

import httpx
import pytest

from pagefleet.errors import RetryNow, Stop
from pagefleet.http import open_client, open_sync_client, send, send_sync
from pagefleet.limits import Limits
from pagefleet.page import Request, Response
from tests.api import Api, document, say

Ask = Callable[..., Response | RetryNow]


def ask_async(request: Request, limits: Limits | None = None, times: int = 1) -> Response | RetryNow:
    async def asked() -> Response | RetryNow:
        async with open_client() as client:
            for _ in range(times - 1):
                await send(client, request, limits or Limits())
            return await send(client, request, limits or Limits())

    return asyncio.run(asked())


def ask_sync(request: Request, limits: Limits | None = None, times: int = 1) -> Response | RetryNow:
    with open_sync_client() as client:
        for _ in range(times - 1):
            send_sync(client, request, limits or Limits())
        return send_sync(client, request, limits or Limits())


@pytest.fixture(params=[ask_async, ask_sync], ids=["async", "sync"])
def ask(request: pytest.FixtureRequest) -> Ask:
    found: Ask = request.param
    return found


def get(url: str, **headers: str) -> Request:
    return Request("GET", url, headers)


def test_an_answer(server: Api, ask: Ask) -> None:
    url = say(server.url, "[é]", status=206, headers={"X-One": "1", "content-type": "a/b"})
    response = ask(get(url))
    assert isinstance(response, Response)
    assert (response.status, response.url, response.body) == (206, url, "[é]".encode())
    assert {**response.headers, "x-one": "1", "content-type": "a/b"} == response.headers
    assert 0 < response.seconds < 10


def test_a_post(server: Api, ask: Ask) -> None:
    ask(Request("POST", f"{server.url}/say", {"content-type": "application/json"}, b'{"a": 1}'))
    (asked,) = server.asked()
    assert (asked.method, asked.body) == ("POST", '{"a": 1}')


@pytest.mark.parametrize(
    "target",
    [
        "/c/a%2Fb?x=%2F%2B%26%25%20+&y=%C3%A9",
        "/c/a?cursor=%3D%3D&empty=&bare",
        "/c/a;b=1/c,d?sig=aGk%3D%2F~!*'()",
        "/c/a?x[]=1&x%5B%5D=2&a:b@c",
    ],
)
def test_a_url_goes_out_as_it_means(server: Api, ask: Ask, target: str) -> None:
    """Each of the clients writes some characters in its own way, and none changes what they mean."""
    ask(get(server.url + target))
    (asked,) = server.asked()
    sent, meant = httpx.URL(server.url + asked.target), httpx.URL(server.url + target)
    assert sent.raw_path.partition(b"?")[0] == meant.raw_path.partition(b"?")[0]
    assert sent.params.multi_items() == meant.params.multi_items()


def test_redirects_are_answers(server: Api, ask: Ask) -> None:
    response = ask(get(say(server.url, status=302, headers={"location": "/c/x"})))
    assert isinstance(response, Response)
    assert (response.status, response.headers["location"]) == (302, "/c/x")
    assert len(server.asked()) == 1


@pytest.mark.invariant("S-3")
def test_proxies_of_the_environment_are_not_asked(server: Api, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    assert isinstance(ask(get(f"{server.url}/c/x")), Response)


@contextmanager
def speaking(words: bytes) -> Generator[tuple[str, list[bytes]]]:
    """A server that says the same to each request, and what it was asked."""
    heard: list[bytes] = []

    class Speaker(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(ConnectionError):
                while request := self.request.recv(65536):
                    heard.append(request)
                    self.request.sendall(words)
                    if not words.startswith(b"HTTP/1.1 200"):
                        return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Speaker) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=[0.01])
        thread.start()
        yield f"http://127.0.0.1:{listening.server_address[1]}", heard
        listening.shutdown()
        thread.join()


@pytest.mark.invariant("S-1")
def test_no_cookie_is_kept(ask: Ask) -> None:
    """The client is shared by all crawls of a worker."""
    words = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nset-cookie: session=1; path=/\r\n\r\n[]"
    with speaking(words) as (url, heard):
        assert isinstance(ask(get(url), times=2), Response)
        first, second = list(heard)
    assert b"cookie" not in second.lower()
    assert f"user-agent: pagefleet/{metadata.version('pagefleet')}\r\n".encode() in first.lower()


async def test_an_httpx_client_may_use_our_transport(server: Api) -> None:
    async with httpx.AsyncClient(transport=open_client()) as client:
        answer = await client.get(f"{server.url}/c/x", params={"count": 3})
        assert answer.status_code == httpx.codes.OK
        assert document("x", 2) in answer.content
        await client.post(f"{server.url}/c/x", content=b"what was sent")
        assert server.connections == 1
    assert [(one.method, one.body) for one in server.asked("/c/x")] == [("GET", ""), ("POST", "what was sent")]


def test_an_interim_answer_says_nothing_of_the_next(ask: Ask) -> None:
    words = b"HTTP/1.1 103 Early Hints\r\ncontent-length: 5\r\n\r\nHTTP/1.1 200 OK\r\n\r\nuntil it is closed"
    with speaking(words) as (url, _):
        answer = ask(get(url))
    assert isinstance(answer, Response)
    assert answer.body == b"until it is closed"


# Bounds


@pytest.mark.invariant("S-4")
@pytest.mark.parametrize("query", ["fault=drip", "delay=60"])
def test_a_slow_answer(server: Api, ask: Ask, query: str) -> None:
    started = time.monotonic()
    fault = ask(get(f"{server.url}/c/x?{query}"), Limits(seconds=0.2))
    assert isinstance(fault, RetryNow)
    assert str(fault) == "no whole answer within limits.seconds = 0.2"
    assert 0.15 < time.monotonic() - started < 5


@pytest.mark.invariant("S-4")
@pytest.mark.parametrize("fault", ["large", "bomb"])
def test_a_large_answer(server: Api, ask: Ask, fault: str) -> None:
    with pytest.raises(Stop) as stop:
        ask(get(f"{server.url}/c/x?fault={fault}"), Limits(body=1_000_000))
    place = f"fetching {server.url}/c/x?…"
    assert str(stop.value) == f"{place}: the page is larger than limits.body = 1000000 bytes; ask for smaller ones"


def test_a_limit_is_what_may_be(server: Api, ask: Ask) -> None:
    body = '["' + "x" * 996 + '"]'
    assert isinstance(ask(get(say(server.url, body)), Limits(body=1000)), Response)
    with pytest.raises(Stop, match="larger than"):
        ask(get(say(server.url, body)), Limits(body=999))


# Passing faults


def test_a_connection_that_breaks(server: Api, ask: Ask) -> None:
    fault = ask(get(f"{server.url}/c/x?fault=hangup"))
    assert isinstance(fault, RetryNow)
    assert document("x", 0).decode() not in str(fault)


def test_nobody_there(ask: Ask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    fault = ask(get(f"http://127.0.0.1:{port}"))
    assert isinstance(fault, RetryNow)
    assert re.search("cannot connect to 127.0.0.1|Connection refused", str(fault))


@pytest.mark.invariant("S-8")
@pytest.mark.parametrize(
    "words",
    [
        b"SMTP ready\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx: " + b"y" * 200_000 + b"\r\n\r\n[]",
        b"",
    ],
)
def test_what_is_no_http(ask: Ask, words: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its fault is stored and shown: no secret may stand in it."""
    monkeypatch.setenv("API_KEY", "hunter2")
    with speaking(words) as (url, heard):
        fault = ask(Request("GET", f"{url}/?a=1", {"x-key": "env:API_KEY"}, secrets={"key": "env:API_KEY"}))
        assert b"key=hunter2" in heard[0]
    assert isinstance(fault, RetryNow)
    assert str(fault)
    assert "hunter2" not in repr(fault)


# Secrets


@pytest.mark.invariant("S-9")
def test_secrets_are_looked_up_at_send(server: Api, ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("API_KEY", "a b&c\n")
    (tmp_path / "token").write_text("hunter2\n")
    request = Request(
        "GET",
        f"{server.url}/c/x?q=env%3AAPI_KEY&r=env:API_KEY",
        {"authorization": f"Bearer file:{tmp_path}/token"},
        secrets={"key": "env:API_KEY"},
    )
    response = ask(request)
    assert isinstance(response, Response)
    (asked,) = server.asked()
    assert asked.authorization == "Bearer hunter2"
    sent = httpx.URL(server.url + asked.target).params.multi_items()
    assert sent == [("q", "env:API_KEY"), ("r", "env:API_KEY"), ("key", "a b&c")]
    assert response.url == request.url
    assert "hunter2" not in f"{request!r} {response!r}"


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        ("env:NOT_SET", "looking up the secret env:NOT_SET: NOT_SET is not in this worker's environment; set it"),
        ("file:/no/such", "looking up the secret file:/no/such: [Errno 2] No such file or directory"),
        ("env:ODD", "sending the header authorization: the secret env:ODD holds characters that a header cannot"),
        ("x\r\ny", r"sending the header authorization: 'x\r\ny' holds characters that a header cannot; correct it"),
    ],
)
def test_a_secret_that_cannot_be_sent(
    server: Api, ask: Ask, secret: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ODD", "hunter2\nx\u00e9")
    with pytest.raises(Stop) as stop:
        ask(get(server.url, authorization=secret))
    assert expected in str(stop.value)
    assert "hunter2" not in str(stop.value)
    assert not server.asked()


@pytest.mark.parametrize("url", ["http:///x", "gopher://a/", "//a/", "mailto:a", "http://a:b/", "http://a/\x00"])
def test_what_cannot_be_asked(ask: Ask, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY", "hunter2")
    with pytest.raises(Stop) as stop:
        ask(Request("GET", url, secrets={"key": "env:API_KEY"}))
    assert str(stop.value) == f"fetching {url}: that is no URL that can be asked"
