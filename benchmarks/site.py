"""`python -m benchmarks.site`: a server of the collections that answers after a while, and counts its connections.

It stands in for an API that is far away, for nginx where there is none, and for collections that are too large for
files: bodies are made as they are asked for. `/connections` says how many were accepted before that one.
"""

import argparse
import asyncio
from functools import lru_cache
from typing import cast

from benchmarks.machine import loop_factory
from benchmarks.pages import COLLECTIONS, CYCLE, Place


class Site:
    """What all connections share."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.accepted = 0

    def answer(self, target: str) -> bytes:
        """The whole answer to `GET target`."""
        if target == "/connections":
            return _answer(200, str(self.accepted - 1).encode(), "text/plain")
        return _page(target)


class Connection(asyncio.Protocol):
    """Answers GETs in their order; what is asked for meanwhile waits in the buffer."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._buffer = b""
        site.accepted += 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
            answer = self._site.answer(head.split(b" ", 2)[1].decode())
            if self._site.delay:
                asyncio.get_running_loop().call_later(self._site.delay, self._write, answer)
            else:
                self._write(answer)

    def _write(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


@lru_cache(256)
def _page(target: str) -> bytes:
    try:
        place = Place.of(target)
    except ValueError as error:
        return _answer(404, str(error).encode(), "text/plain")
    encoding = "content-encoding: gzip\r\n" if place.collection.is_gzipped else ""
    kind = "application/xml" if place.collection.is_xml else "application/json"
    return _answer(200, place.collection.body(place.page, place.last), kind, encoding)


def _answer(status: int, body: bytes, kind: str, more: str = "") -> bytes:
    head = f"HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\n{more}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def serve(port: int, delay: float) -> None:
    """Until it is killed."""
    site = Site(delay)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(site), "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--made", nargs="*", default=[], help="collections whose documents are made before it listens")
    options = parser.parse_args()
    for name in options.made:
        for page in range(1, CYCLE + 1):
            COLLECTIONS[name].body(page, CYCLE)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve(options.port, options.delay))


if __name__ == "__main__":
    main()
