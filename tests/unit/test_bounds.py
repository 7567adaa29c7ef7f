"""What a hostile server sends is bounded while it comes and before it is decoded, and holds up nobody else."""

import asyncio
import gzip
import json
import socketserver
import threading
import time
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from itertools import chain, repeat
from typing import Any

import brotli  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]  # it has no types
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pagefleet.bounds import Bounds
from pagefleet.crawl import Crawl
from pagefleet.decode import Decoder, is_array, is_object
from pagefleet.errors import RetryNow, Stop
from pagefleet.http import open_client
from pagefleet.inflate import Inflater, Uninflatable
from pagefleet.limits import Limits
from pagefleet.page import Request, Response
from pagefleet.pages import documents
from pagefleet.source import Client, PythonSource
from tests.unit.test_http import Ask, ask_async, ask_sync

Stream = Callable[[], Iterable[bytes]]
MIB = 1024**2
br: Any = brotli


@contextmanager
def streaming(said: Stream) -> Generator[tuple[str, list[int]]]:
    """A server that says this to each request until the client has had enough, and how many bytes it got rid of."""
    sent = [0]
    closing = threading.Event()

    class Speaker(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                while self.request.recv(65536):
                    for words in said():
                        if closing.is_set():
                            return
                        self.request.sendall(words)
                        sent[0] += len(words)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Speaker) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=[0.01])
        thread.start()
        yield f"http://127.0.0.1:{listening.server_address[1]}", sent
        closing.set()
        listening.shutdown()
        thread.join()


@pytest.fixture(params=[ask_async, ask_sync], ids=["async", "sync"])
def ask(request: pytest.FixtureRequest) -> Ask:
    found: Ask = request.param
    return found


OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


def encoded(encoding: str, body: Iterable[bytes], *more: bytes) -> Stream:
    """A chunked answer that claims this content encoding."""

    def said() -> Iterator[bytes]:
        yield OK + b"transfer-encoding: chunked\r\ncontent-encoding: %s\r\n" % encoding.encode()
        yield b"".join((*more, b"\r\n"))
        for part in body:
            yield b"%x\r\n%s\r\n" % (len(part), part)
        yield b"0\r\n\r\n"

    return said


def slowly(words: bytes) -> Iterator[bytes]:
    """A byte every 20 ms, for ever."""
    while True:
        for byte in words:
            time.sleep(0.02)  # the server's: this is what is wrong with it
            yield bytes([byte])


# While it comes

NOTHING = b"\x00\x00\x00\xff\xff" * 1000
"""Deflate: blocks that hold nothing."""
HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
TOO_LARGE = r"the page is larger than limits.body = 200000 bytes; ask for smaller ones"
LATE = r"no whole answer within limits.seconds = 1"
STREAMS: dict[str, tuple[Stream, str]] = {
    "body": (lambda: chain([OK, b"\r\n"], repeat(b"x" * 65536)), TOO_LARGE),
    "chunks": (
        lambda: chain([OK, b"transfer-encoding: chunked\r\n\r\n"], repeat((b"40\r\n" + b"x" * 64 + b"\r\n") * 999)),
        TOO_LARGE,
    ),
    "declared": (lambda: chain([OK, b"content-length: 200001\r\n\r\n"], slowly(b"x")), TOO_LARGE),
    "nothing": (lambda: encoded("gzip", chain([HEAD], repeat(NOTHING)))(), TOO_LARGE),  # noqa: PLW0108  # a stream for each
    "members": (encoded("gzip", repeat(gzip.compress(b"") * 1000)), TOO_LARGE),
    "padding": (lambda: encoded("gzip", chain([gzip.compress(b"[]")], repeat(b"\0" * 9999)))(), TOO_LARGE),  # noqa: PLW0108
    "a slow body": (lambda: chain([OK, b"\r\n"], slowly(b"x")), LATE),
    "slow headers": (lambda: chain([OK], slowly(b"x: y\r\n")), LATE),
    "a slow status": (lambda: chain([b"HTTP/1.1 200 "], slowly(b"O")), LATE),
    "a slow chunk": (lambda: chain([OK, b"transfer-encoding: chunked\r\n\r\n"], slowly(b"1\r\nx\r\n")), LATE),
    "a slow trailer": (lambda: chain([OK, b"transfer-encoding: chunked\r\n\r\n0\r\n"], slowly(b"x: y\r\n")), LATE),
    "interim answers": (lambda: repeat(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100), "."),
    "headers": (lambda: chain([OK], repeat(b"x: y\r\n" * 1000)), "."),
    "many headers": (lambda: [OK, *(b"x%d: y\r\n" % n for n in range(20_000)), b"\r\n"], "."),
    "a header": (lambda: chain([OK, b"x: "], repeat(b"y" * 65536)), "."),
    "a header's name": (lambda: chain([OK], repeat(b"y" * 65536)), "."),
    "a status": (lambda: repeat(b"H" * 65536), "."),
    "trailers": (lambda: chain([OK, b"transfer-encoding: chunked\r\n\r\n0\r\n"], repeat(b"x: y\r\n" * 1000)), "."),
    "an extension": (lambda: chain([OK, b"transfer-encoding: chunked\r\n\r\n1;"], repeat(b"y" * 65536)), "."),
    "a chunk's size": (lambda: chain([OK, b"transfer-encoding: chunked\r\n\r\n"], repeat(b"0" * 65536)), "."),
}
"""By what is without end; and what is said of it."""
UNCOUNTED = ("interim answers", "an extension", "a chunk's size")
"""aiohttp's parser throws these away before anybody sees them: only `limits.seconds` ends them."""


@pytest.mark.invariant("S-4")
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_without_end(ask: Ask, name: str) -> None:
    said, expected = STREAMS[name]
    started = time.monotonic()
    with streaming(said) as (url, sent):
        try:
            fault: Any = ask(Request("GET", url), Limits(body=200_000, seconds=1))
        except Stop as stop:
            fault = stop
        taken = time.monotonic() - started
    assert isinstance(fault, Stop if expected == TOO_LARGE else RetryNow)
    assert str(fault).endswith(expected) or expected == "."
    assert taken < 20
    assert sent[0] < 64 * MIB or name in UNCOUNTED


BOMB = b"[" + b"0," * (50 * MIB) + b"0]"
BOMBS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda body: gzip.compress(body, 6),
    "deflate": lambda body: zlib.compress(body, 6),
    "br": lambda body: bytes(br.compress(body, quality=3)),
    "zstd": zstandard.compress,
}


@pytest.mark.invariant("S-4")
@pytest.mark.parametrize("encoding", BOMBS)
def test_a_bomb(ask: Ask, encoding: str) -> None:
    """100 MiB in less than one: given up long before it is there."""
    bomb = BOMBS[encoding](BOMB)
    assert len(bomb) < MIB / 2
    with streaming(encoded(encoding, [bomb])) as (url, _), pytest.raises(Stop) as stop:
        ask(Request("GET", url), Limits())
    found = "the page decompresses to more than limits.ratio = 200 times what came; raise that if it is no attack"
    assert str(stop.value) == f"fetching {url}: {found}"


@pytest.mark.invariant("S-4")
@pytest.mark.parametrize("encoding", BOMBS)
def test_what_bombs_make_of_memory(encoding: str) -> None:
    """A chunk of 16 KiB at once is what aiohttp hands on."""
    bomb = BOMBS[encoding](BOMB)
    inflater = Inflater(encoding)
    assert max(map(len, inflater.feed(bomb[:16384]))) <= 9 * MIB


@pytest.mark.parametrize("encoding", BOMBS)
def test_a_page_that_compresses_well_is_no_bomb(ask: Ask, encoding: str) -> None:
    page = json.dumps([{"id": n, "name": "thing", "values": [None] * 5} for n in range(20_000)]).encode()
    packed = BOMBS[encoding](page)
    for body in (
        [packed],
        [packed[:1], packed[1:2], packed[2:]],
        [bytes([byte]) for byte in packed[:300]] + [packed[300:]],
    ):
        with streaming(encoded(encoding, body)) as (url, _):
            response = ask(Request("GET", url), Limits())
        assert isinstance(response, Response)
        assert response.body == page


@pytest.mark.parametrize("encoding", BOMBS)
def test_a_compressed_page_that_is_cut_short(ask: Ask, encoding: str) -> None:
    """httpx gives what there is for a whole page: with NDJSON or CSV, documents would be missing without a word."""
    packed = BOMBS[encoding](b'{"id": 1}\n' * 1000)
    for cut in (1, len(packed) // 2, len(packed) - 1):
        with streaming(encoded(encoding, [packed[:cut]])) as (url, _):
            fault = ask(Request("GET", url), Limits())
        assert isinstance(fault, RetryNow)
        assert str(fault) == f"the page cannot be decompressed: its {encoding} is cut short"


@pytest.mark.parametrize("encoding", BOMBS)
def test_a_compressed_page_that_is_none(ask: Ask, encoding: str) -> None:
    with streaming(encoded(encoding, [b"[1, 2, 3]" * 100])) as (url, _):
        fault = ask(Request("GET", url), Limits())
    assert isinstance(fault, RetryNow)
    assert str(fault).startswith(f"the page cannot be decompressed: it is not {encoding} (")


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b"[1") + gzip.compress(b",2]")),
        ("x-gzip", gzip.compress(b"[1,2]") + b"\0" * 100),
        ("gzip", gzip.compress(b"[1,2]") + b"\0" * 12 + gzip.compress(b"padding")),
        ("zstd", zstandard.compress(b"[1") + zstandard.compress(b",2]")),
        ("deflate", zlib.compress(b"[1,2]", wbits=-15)),
        ("identity", b"[1,2]"),
        ("", b"[1,2]"),
        ("utf-8", b"[1,2]"),
        ("identity, GZIP", gzip.compress(b"[1,2]")),
    ],
    ids=[
        "gzip",
        "x-gzip",
        "padding",
        "zstd",
        "deflate",
        "identity",
        "none",
        "unknown",
        "GZIP",
    ],  # gzip has the time in it
)
@pytest.mark.parametrize("size", [1, 7, 65536])
def test_what_servers_call_compressed(encoding: str, body: bytes, size: int) -> None:
    inflater = Inflater(encoding)
    parts = [part for n in range(0, len(body), size) for part in inflater.feed(body[n : n + size])]
    inflater.end()
    assert b"".join(parts) == b"[1,2]"


@pytest.mark.parametrize("size", [1, 7, 65536])
def test_what_stands_behind_the_end_of_brotli_is_a_fault_however_it_comes(size: int) -> None:
    inflater, body = Inflater("br"), br.compress(b"[1,2]" * 100) + b"\0"
    with pytest.raises(Uninflatable, match="br"):
        list(chain.from_iterable(inflater.feed(body[n : n + size]) for n in range(0, len(body), size)))


@pytest.mark.invariant("S-4")
def test_nothing_is_compressed_twice() -> None:
    """A bomb in a bomb."""
    with pytest.raises(Uninflatable, match="compressed more than once"):
        Inflater("gzip, gzip")


# Before it is decoded


@pytest.mark.invariant("S-5")
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"[" * 65 + b"]" * 65, "nested deeper than limits.depth = 64"),
        (b'[{"a":' * 33 + b"1" + b"}]" * 33, "nested deeper than limits.depth = 64"),
        (b'["[",{"]":' + b"[" * 63 + b'"{"' + b"]" * 63 + b"}]", "nested deeper than limits.depth = 64"),
        (b"[[],[[]]," * 64 + b"[]" + b"]" * 64, "nested deeper than limits.depth = 64"),
        (b'{"]":' * 65 + b"1" + b"}" * 65, "nested deeper than limits.depth = 64"),
        (b"[" * 64 + b"]" * 64, ""),
        (b'["' + b"[" * 1000 + b'"]', ""),
        (b'["' + b"[" * 1000 + b"]" * 1000 + b'"]', ""),
        (b'["\\"' + b"[" * 1000 + b"]" * 1000 + b'\\\\", "\\\\\\"[", [1]]', ""),
        (b"[" + b'{"a": ["}", 1]},' * 50_000 + b"1]", ""),
        (b"]]]}}}[[[", ""),
    ],
)
def test_depth(body: bytes, said: str) -> None:
    with pytest.raises(Stop, match=said) if said else nullcontext():
        Bounds().check_depth(body)


@pytest.mark.invariant("S-5")
@pytest.mark.parametrize(
    "page",
    [
        b'{"next": 1, "items": [1, %b]}',
        b'{"next": %b, "items": [1]}',
    ],
)
def test_the_depth_of_what_is_read_of_a_page(page: bytes) -> None:
    decoder = Decoder("items", ["next"])
    assert decoder.decode(page % (b"[" * 64 + b"]" * 64)).documents[0] == b"1"
    with pytest.raises(Stop, match=r"nested deeper than limits.depth = 64"):
        decoder.decode(page % (b"[" * 65 + b"]" * 65))
    for depth in (2_000, 200_000):
        with pytest.raises(Stop, match=r"nested deeper than|nested too deep"):
            decoder.decode(page % (b"[" * depth + b"]" * depth))


@pytest.mark.invariant("S-5")
def test_the_number_of_containers() -> None:
    with pytest.raises(Stop, match=r"holds more than 4,000,000 arrays and objects"):
        Decoder("$").decode(b"[" + b"[]," * 4_000_000 + b"[]]")


VALUES = st.recursive(
    st.none() | st.integers() | st.text(st.sampled_from('[]{}"\\,: a')),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.sampled_from('[]{}"\\,'), max_size=3), inner)
    ),
    max_leaves=30,
)


@pytest.mark.invariant("S-5")
@given(VALUES)
def test_depth_is_what_it_is(value: Any) -> None:
    def depth(value: Any) -> int:
        inner: Any = value.values() if is_object(value) else value if is_array(value) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    body, found = json.dumps(value).encode(), depth(value)
    Bounds(depth=max(found, 1)).check_depth(body)
    if found > 1:
        with pytest.raises(Stop):
            Bounds(depth=found - 1).check_depth(body)


@pytest.mark.parametrize("element", [b"1", b"{}", b"[1, 2]", b'{"a": [1, {"b": [2, 3]}]}', b'"a,b"', b"null"])
@pytest.mark.parametrize("count", [299_999, 300_000, 300_001])
def test_the_number_of_documents(element: bytes, count: int) -> None:
    """Around where they begin to be counted before they are cut."""
    body = b'{"a": [1, 2, 3], "data": [' + b",".join([element] * count) + b"]}"
    decoder = Decoder("data")
    if count <= 300_000:
        assert len(decoder.decode(body, Bounds(documents=300_000)).documents) == count
    else:
        with pytest.raises(Stop, match=r"holds more than limits.documents = 300000 documents"):
            decoder.decode(body, Bounds(documents=300_000))


def test_the_size_of_a_document() -> None:
    body = b'[{"a": "%s"}, {"a": "%s"}]' % (b"x" * 91, b"x" * 92)
    with pytest.raises(Stop, match=r"document 2 of it has 101 bytes, more than limits.document = 100"):
        Decoder("$").decode(body, Bounds(document=100))
    assert len(Decoder("$").decode(body, Bounds(document=101)).documents) == 2


# Nobody waits for a hostile page


class Gaps:
    """The longest time that the event loop had to itself nothing of, in seconds of this process: others' load on the
    machine does not count."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def watch(self) -> None:
        last = time.process_time()
        while True:
            await asyncio.sleep(0.002)
            now = time.process_time()
            self.longest, last = max(self.longest, now - last), now


SIZE = 60_000_000


def filled(begin: bytes, middle: bytes, end: bytes) -> bytes:
    return begin + middle * ((SIZE - len(begin) - len(end)) // len(middle)) + end


PAGES: dict[str, tuple[Callable[[], bytes], dict[str, Any]]] = {
    "numbers": (lambda: filled(b"[", b"1,", b"1]"), {}),
    "empty arrays": (lambda: filled(b"[", b"[],", b"1]"), {}),
    "empty objects": (lambda: filled(b"[", b"{},", b"1]"), {}),
    "empty strings": (lambda: filled(b"[", b'"",', b"1]"), {}),
    "brackets in strings": (lambda: filled(b"[", b'"[",', b"1]"), {}),
    "no end": (lambda: filled(b"", b"[", b""), {}),
    "one document of numbers": (lambda: filled(b"[[", b"1,", b"1]]"), {}),
    "a member of numbers": (
        lambda: filled(b'{"data":[],"next":[', b"1,", b"1]}"),
        {"documents": "data", "paginate": {"kind": "next_url", "next": "next"}},
    ),
    "no array": (lambda: filled(b'{"data":{"a":[', b"[],", b"1]}}"), {"documents": "data"}),
    "numbers under a JSONPath": (lambda: filled(b"[", b"1,", b"1]"), {"documents": "$[*]"}),
    "arrays under a JSONPath": (lambda: filled(b"[", b"[],", b"1]"), {"documents": "$..a"}),
    "the whole": (lambda: filled(b"[", b"1,", b"1]"), {"documents": "."}),
    "lines": (lambda: filled(b"", b"1\n", b""), {"format": "ndjson"}),
    "empty lines": (lambda: filled(b"", b"\n", b"1"), {"format": "ndjson"}),
    "a line": (lambda: filled(b"[", b"[],", b"1]"), {"format": "ndjson"}),
    "rows": (lambda: filled(b"a\n", b"1\n", b""), {"format": "csv"}),
    "columns": (lambda: filled(b"a\n1", b",1", b""), {"format": "csv"}),
    "names of columns": (lambda: filled(b"1", b",1", b""), {"format": "csv"}),
    "lines of a row": (lambda: filled(b'a\n"', b"\n", b'"'), {"format": "csv"}),
    "elements": (lambda: filled(b"<a>", b"<b/>", b"</a>"), {"format": "xml", "documents": "//b"}),
    "attributes": (lambda: filled(b"<a", b' b=""', b"/>"), {"format": "xml", "documents": "//b"}),
    "text": (lambda: filled(b"<a><b>", b"x ", b"</b></a>"), {"format": "xml", "documents": "//b"}),
    "HTML": (lambda: filled(b"<a>", b"<b></b>", b"</a>"), {"format": "html", "documents": "b"}),
    "documents in documents": (
        lambda: filled(b"<a>" * 250 + b"<c>", b"x ", b"</c>" + b"</a>" * 250),
        {"format": "xml", "documents": "//a"},
    ),
}


@pytest.mark.invariant("L-8")
@pytest.mark.parametrize("name", PAGES)
async def test_a_page_that_holds_nobody_up(name: str) -> None:
    make, said = PAGES[name]
    body, gaps = make(), Gaps()
    answer = [OK.replace(b"application/json", b"text/plain") + b"content-length: %d\r\n\r\n" % len(body), body]
    with streaming(lambda: answer) as (url, _):
        watching = asyncio.create_task(gaps.watch())
        crawl = Crawl.model_validate({"url": url, "paginate": {"kind": "none"}, "limits": {"attempts": 1}, **said})
        with suppress(Stop):
            async with documents(crawl) as flow:
                assert [one async for one in flow]
        watching.cancel()
    assert gaps.longest < 1


async def test_what_a_source_in_python_reads_is_bounded_too() -> None:
    body = filled(b"[", b"[],", b"1]")
    source = PythonSource(function="a:b", limits=Limits(attempts=1))
    with streaming(lambda: [OK + b"content-length: %d\r\n\r\n" % len(body), body]) as (url, _):
        async with open_client() as http:
            client = Client(http, source, None)
            with pytest.raises(Stop, match=f"reading {url}: it holds more than 1,500,000 values"):
                await client.get_json(url)
            with pytest.raises(Stop, match=f"reading {url}: it holds more than 4,000,000 arrays and objects"):
                await client.get_documents(url, "$")
