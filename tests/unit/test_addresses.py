"""Where a process connects to: nothing but public addresses, and what it was told to allow, whatever the spelling."""
# ruff: noqa: S104, RUF001 — the addresses and letters that are looked down on here are what is tried

import asyncio
import ipaddress
import re
import socket
from asyncio import selector_events
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pagefleet.addresses import Allowed, allowed_here, is_public
from pagefleet.crawl import Crawl
from pagefleet.credentials import written
from pagefleet.errors import CrawlError, RetryNow, Stop
from pagefleet.http import open_client, open_sync_client, send, send_sync
from pagefleet.limits import Limits
from pagefleet.page import Request, Response
from pagefleet.pages import documents
from tests.api import Api, description, say

Ask = Callable[..., Response | RetryNow]
Answers = dict[str, list[str]]

REFUSED = [
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254"),
    *("169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1"),
    *("192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250"),
    *("240.0.0.1", "255.255.255.255", "168.63.129.16"),
    *("::", "::1", "::7f00:1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:8.8.8.8"),
    *("64:ff9b::7f00:1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:4136:e378::1"),
    *("2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1", "fc00::1", "fd00::1"),
    *("fe80::1", "fe80::1%1", "fec0::1", "ff02::1", "4000::1", "5f00::1"),
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "100.63.255.255", "172.32.0.1", "192.0.1.1", "2606:4700::1111", "2a00:1450::1"]


@pytest.mark.parametrize("address", REFUSED)
def test_what_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@given(st.ip_addresses() | st.sampled_from([net.network_address for net in map(ipaddress.ip_network, ("::/0",))]))
def test_nothing_is_public_that_python_takes_for_private(address: IPv4Address | IPv6Address) -> None:
    """Its own table is another one, so that each finds what the other forgot."""
    if is_public(address):
        assert address.is_global
        assert not address.is_multicast


@pytest.mark.invariant("S-3")
@given(st.ip_addresses(v=4))
@example(IPv4Address("8.8.8.8"))
@example(IPv4Address("127.0.0.1"))
def test_no_address_with_another_inside_is_public(inner: IPv4Address) -> None:
    """Mapped, compatible, translated, NAT64 in both prefixes, 6to4, Teredo."""
    number = int(inner)
    for prefix in ("::ffff:0:0", "::", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::"):
        assert not is_public(IPv6Address(int(IPv6Address(prefix)) | number))
    assert not is_public(IPv6Address(0x2002 << 112 | number << 80))
    assert not is_public(IPv6Address(0x20010000 << 96 | number << 64 | (number ^ 0xFFFFFFFF)))


# What is allowed


@pytest.mark.parametrize(
    ("text", "host", "port", "address", "expected"),
    [
        ("10.0.0.0/8", "a", 80, "10.1.2.3", True),
        ("", "a", 80, "11.1.2.3", True),
        ("10.0.0.0/8", "a", 80, "192.168.0.1", False),
        ("10.0.0.0/8", "a", 80, "::1", False),
        ("fd00::/8", "a", 80, "fd12::1", True),
        ("127.0.0.1", "localhost", 8000, "127.0.0.1", True),
        ("127.0.0.1:8000", "localhost", 8000, "127.0.0.1", True),
        ("127.0.0.1:8000", "localhost", 8001, "127.0.0.1", False),
        ("[::1]:80", "::1", 80, "::1", True),
        ("::1", "x", 80, "::1", True),
        ("internal.example", "internal.example", 1, "10.0.0.1", True),
        ("Internal.Example", "internal.example", 1, "10.0.0.1", True),
        ("internal.example", "not-internal.example", 1, "10.0.0.1", False),
        ("internal.example", "a.internal.example", 1, "10.0.0.1", False),
        ("internal.example:81", "internal.example", 80, "10.0.0.1", False),
        ("http://internal.example", "internal.example", 80, "10.0.0.1", True),
        ("http://internal.example", "internal.example", 443, "10.0.0.1", False),
        ("https://internal.example/", "internal.example", 443, "10.0.0.1", True),
        ("x:1, 10.0.0.1\n::1", "y", 1, "10.0.0.1", True),
        ("", "x", 80, "127.0.0.1", False),
    ],
)
def test_what_is_allowed(text: str, host: str, port: int, address: str, expected: bool) -> None:
    assert Allowed.parse(text).permits(host, port, ip_address(address)) is expected


@pytest.mark.parametrize(
    "text", ["10.0.0.1/8", "a/b", "http://", "http://a/b", "u:p@a", "a:b", "a:99999", "10.0.0.0/40"]
)
def test_what_allows_nothing_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGEFLEET_ALLOW", text)
    with pytest.raises(CrawlError) as error:
        allowed_here()
    assert str(error.value).startswith(f"reading PAGEFLEET_ALLOW = {text!r}: ")
    assert "such as 10.0.0.0/8" in str(error.value)


# Connections


def ask_async(request: Request, allow: str = "") -> Response | RetryNow:
    async def asked() -> Response | RetryNow:
        async with open_client(Allowed.parse(allow)) as client:
            return await send(client, request, Limits(seconds=10))

    return asyncio.run(asked())


def ask_sync(request: Request, allow: str = "") -> Response | RetryNow:
    with open_sync_client(Allowed.parse(allow)) as client:
        return send_sync(client, request, Limits(seconds=10))


@pytest.fixture(params=[ask_async, ask_sync], ids=["async", "sync"])
def ask(request: pytest.FixtureRequest) -> Ask:
    found: Ask = request.param
    return found


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that sockets were connected to, or would have been: nothing but this machine is reached."""
    found: list[str] = []
    connect, sock_connect = socket.socket.connect, selector_events.BaseSelectorEventLoop.sock_connect

    def noted(address: Any) -> None:
        found.append(address[0])
        if address[0] != "127.0.0.1":
            raise ConnectionRefusedError(f"the test does not connect to {address[0]}")

    def sync(self: socket.socket, address: Any) -> None:
        noted(address)
        connect(self, address)

    async def asynchronous(self: Any, sock: socket.socket, address: Any) -> None:
        noted(address)
        await sock_connect(self, sock, address)

    monkeypatch.setattr(socket.socket, "connect", sync)
    monkeypatch.setattr(selector_events.BaseSelectorEventLoop, "sock_connect", asynchronous)
    return found


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """What DNS says, an answer after the other; the last one stays. What is written as an address is not asked for."""
    known: Answers = {}
    real = socket.getaddrinfo

    def answered(host: str | bytes, port: Any, *_: Any, **__: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        answer = known.get(name, [name])
        found = answer.pop(0) if len(answer) > 1 else answer[0]
        known_as = found.split() or [""]
        return [
            info for one in known_as for info in real(one, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", answered)
    return known


SPELLINGS = [
    *(
        "127.0.0.1",
        "127.0.0.1.",
        "127.1",
        "127.0.1",
        "2130706433",
        "0177.0.0.1",
        "017700000001",
        "0x7f.0.0.1",
        "0x7f.1",
    ),
    *("0x7f000001", "0", "0.0.0.0", "0x0", "00", "127.0.0.1%00", "①②⑦.⓪.⓪.①", "１２７.0.0.1", "127。0。0。1"),
    *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[0::1%25lo]"),
    *("[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]", "[fe80::1]", "169.254.169.254", "2852039166"),
    *(
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "169.16689662",
        "[::ffff:a9fe:a9fe]",
        "localhost",
        "LOCALHOST",
        "a@127.0.0.1",
    ),
]


@pytest.mark.invariant("S-3")
@pytest.mark.parametrize("host", SPELLINGS)
def test_no_spelling_of_a_private_address_is_connected_to(
    server: Api, ask: Ask, host: str, names: Answers, connected: list[str]
) -> None:
    names |= {"localhost": ["127.0.0.1 ::1"]}
    try:
        answer = ask(Request("GET", f"http://{host}:{server.url.rpartition(':')[2]}/c/x"))
    except Stop as stop:
        answer = RetryNow(str(stop))
    assert isinstance(answer, RetryNow)
    assert re.search("no URL that can be asked|PAGEFLEET_ALLOW=|not known|No address|Name or service", str(answer))
    assert connected == []
    assert server.asked() == []


def test_what_is_said_of_it(ask: Ask, names: Answers) -> None:
    names |= {"internal.example": ["10.1.2.3 ::1 10.1.2.3"]}
    for url, expected in (
        ("http://internal.example/items?key=1", "internal.example is at 10.1.2.3, ::1, and that is no public address"),
        ("http://10.1.2.3/items?key=1", "10.1.2.3 is no public address"),
        ("http://[fd00::1]/items?key=1", "[fd00::1] is no public address"),
    ):
        host = httpx.URL(url).netloc.decode()
        with pytest.raises(Stop) as stop:
            ask(Request("GET", url))
        assert str(stop.value) == (
            f"connecting to http://{host}: {expected}; if crawls may go there from here, "
            f"allow it where they run: PAGEFLEET_ALLOW={host}:80"
        )


def test_of_several_addresses_only_those_that_are_permitted(
    server: Api, ask: Ask, names: Answers, connected: list[str]
) -> None:
    names |= {"two.example": ["10.0.0.1 127.0.0.1 ::1"]}
    port = server.url.rpartition(":")[2]
    answer = ask(Request("GET", f"http://two.example:{port}/c/x"), "127.0.0.1")
    assert isinstance(answer, Response)
    assert set(connected) == {"127.0.0.1"}


@pytest.mark.invariant("S-3")
def test_what_was_checked_is_what_is_connected_to(server: Api, ask: Ask, names: Answers, connected: list[str]) -> None:
    """DNS that answers otherwise the second time finds no second time."""
    names |= {"rebound.example": ["127.0.0.1", "10.0.0.1"]}
    port = server.url.rpartition(":")[2]
    assert isinstance(ask(Request("GET", f"http://rebound.example:{port}/c/x"), "127.0.0.1"), Response)
    assert set(connected) == {"127.0.0.1"}
    names |= {"rebound.example": ["10.0.0.1"]}
    with pytest.raises(Stop, match="is at 10"):
        ask(Request("GET", f"http://rebound.example:{port}/c/x"), "127.0.0.1")


def test_a_public_host_that_is_away_may_be_there_later(ask: Ask, names: Answers, connected: list[str]) -> None:
    names |= {"mixed.example": ["10.0.0.1 8.8.8.8"]}
    answer = ask(Request("GET", "http://mixed.example/"))
    assert isinstance(answer, RetryNow)
    assert not answer.is_sent
    assert set(connected) == {"8.8.8.8"}


def test_a_connection_of_one_client_is_not_anothers(server: Api, ask: Ask) -> None:
    """A kept connection was checked for whoever opened it."""
    assert isinstance(ask(Request("GET", f"{server.url}/c/x"), "127.0.0.1"), Response)
    with pytest.raises(Stop):
        ask(Request("GET", f"{server.url}/c/x"))


# The library, and what a user types


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is allowed by the environment."""
    monkeypatch.delenv("PAGEFLEET_ALLOW")


def read_async(crawl: Crawl) -> list[bytes]:
    async def read() -> list[bytes]:
        return [one async for one in documents(crawl)]

    return asyncio.run(read())


def read_sync(crawl: Crawl) -> list[bytes]:
    return list(documents(crawl))


@pytest.mark.parametrize("read", [read_async, read_sync])
def test_the_library_goes_to_the_origin_of_the_crawl(
    server: Api, read: Callable[[Crawl], list[bytes]], strict: None
) -> None:
    assert len(read(Crawl.model_validate(description(server.url, "x", count=25)))) == 25


@pytest.mark.invariant("S-3")
@pytest.mark.parametrize("read", [read_async, read_sync])
def test_the_library_follows_no_link_to_a_private_address(
    server: Api, read: Callable[[Crawl], list[bytes]], strict: None, connected: list[str]
) -> None:
    """Not even where the crawl lists the origin."""
    other = server.url.replace("127.0.0.1", "127.0.0.2")
    said = description(server.url, "x", "next_url", count=25, origin=other)
    with pytest.raises(Stop, match=f"connecting to {other}: 127.0.0.2 is no public address"):
        read(Crawl.model_validate({**said, "origins": [other]}))
    redirected = say(server.url, status=307, headers={"location": f"{other}/c/x"})
    with pytest.raises(Stop, match=r"127.0.0.2 is no public address"):
        read(Crawl.model_validate({"url": redirected, "paginate": {"kind": "none"}, "origins": [other]}))
    assert set(connected) == {"127.0.0.1"}


def test_origins_that_the_author_of_a_crawl_wrote() -> None:
    """A document has no say in these: where it has one, the origin must be listed."""
    crawl = Crawl.model_validate(
        {
            "url": "http://a.example/x",
            "paginate": {"kind": "none"},
            "origins": ["https://b.example"],
            "each": {"url": "http://c.example:81/{id}", "each": {"url": "http://{host}/y", "each": {"url": "/{id}"}}},
        }
    )
    assert written(crawl) == ["http://a.example/x", "https://b.example", "http://c.example:81"]
    for url in ("http://c.example.{x}/", "http://c{x}/", "{url}", "//c.example", "c/{x}"):
        crawl = crawl.model_copy(
            update={"each": crawl.each and crawl.each.model_copy(update={"url": url, "each": None})}
        )
        assert written(crawl) == ["http://a.example/x", "https://b.example"]
