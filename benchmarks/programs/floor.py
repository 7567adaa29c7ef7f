"""The floor: raw asyncio, no decoding beyond the next page's path, and one constant, pre-packed commit a page.

Nothing of it is safe: the documents of the first page are committed again and again, under ids of Redis' own, by a
script that knows no fence, no checkpoint and no lease. The next page is fetched while one is committed.
"""

import asyncio
import json
import zlib
from typing import cast
from urllib.parse import urlsplit

from benchmarks.machine import loop_factory
from benchmarks.outcome import Meter, Outcome, arguments

SCRIPT = "for i = 1, #ARGV do redis.call('XADD', KEYS[1], '*', 'd', ARGV[i]) end return #ARGV"
ROOM = 4 * 1024**2
NEXT = b'"next":"'


class Fetching(asyncio.BufferedProtocol):
    """GETs on one connection, one at a time; an answer is read to where the last one was."""

    def __init__(self, host: str) -> None:
        self._tail = f" HTTP/1.1\r\nhost: {host}\r\n\r\n".encode()
        self._buffer = memoryview(bytearray(ROOM))
        self._filled, self._start, self._end = 0, 0, 0
        self._is_gzipped = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def get(self, path: bytes) -> "asyncio.Future[memoryview | bytes]":
        """The body."""
        self._filled, self._end = 0, 0
        self._answered: asyncio.Future[memoryview | bytes] = asyncio.get_running_loop().create_future()
        self._transport.write(b"GET " + path + self._tail)
        return self._answered

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        self._filled += nbytes
        if not self._end:
            self._read_head()
        if self._end and self._filled >= self._end:
            body = self._buffer[self._start : self._end]
            self._answered.set_result(zlib.decompress(body, 31) if self._is_gzipped else body)

    def _read_head(self) -> None:
        head, blank, _ = bytes(self._buffer[: min(self._filled, 1024)]).partition(b"\r\n\r\n")
        if not blank:
            return
        lower = head.lower()
        length = lower.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        self._is_gzipped = b"content-encoding: gzip" in lower
        self._start = len(head) + 4
        self._end = self._start + int(length)


class Committing(asyncio.Protocol):
    """One command at a time; its answer is a line."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def send(self, command: bytes) -> "asyncio.Future[bytes]":
        """The answer."""
        self._answer = b""
        self._answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._transport.write(command)
        return self._answered

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if self._answer.startswith(b"-"):
            raise RuntimeError(f"Redis refused the floor's commit: {self._answer!r}")
        if self._answer.endswith(b"\r\n") and (self._answer[:1] == b":" or self._answer.count(b"\r\n") > 1):
            self._answered.set_result(self._answer)


def packed(*words: bytes) -> bytes:
    """A command as it is sent."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        parts += [b"$%d\r\n" % len(word), word, b"\r\n"]
    return b"".join(parts)


def next_path(body: memoryview | bytes) -> bytes:
    """Where the next page is; empty behind the last."""
    tail = bytes(body[-128:])
    at = tail.rfind(NEXT)
    return b"" if at < 0 else tail[at + len(NEXT) : -2]


async def crawl(url: str, redis_url: str) -> Outcome:
    """All pages from the first to the last."""
    loop = asyncio.get_running_loop()
    source, redis = urlsplit(url), urlsplit(redis_url)
    host, port = source.hostname or "", source.port or 80
    _, fetching = await loop.create_connection(lambda: Fetching(source.netloc), host, port)
    _, committing = await loop.create_connection(Committing, redis.hostname or "", redis.port or 6379)
    path = source.path.encode()
    first = json.loads(bytes(await fetching.get(path)))["items"]
    documents = [json.dumps(one, ensure_ascii=False, separators=(",", ":")).encode() for one in first]
    sha = (await committing.send(packed(b"SCRIPT", b"LOAD", SCRIPT.encode()))).split(b"\r\n")[1]
    commit = packed(b"EVALSHA", sha, b"1", b"documents", *documents)
    meter, pages = Meter(), 0
    answered = fetching.get(path)
    while path:
        path = next_path(await answered)
        committed = committing.send(commit)
        if path:
            answered = fetching.get(path)
        await committed
        pages += 1
    return meter.stop(pages * len(documents))


def main() -> None:
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(crawl(*arguments())).print()


if __name__ == "__main__":
    main()
