"""Compressed pages, in every encoding that is asked for, by `async for` and by `for`."""

import gzip
import json
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import cast

import brotli  # type: ignore[import-untyped]  # pyright: ignore[reportMissingTypeStubs]  # it has no types
import pytest
import zstandard

from pagefleet import Crawl, documents
from tests.api import document

BODY = b"[" + b",".join(document("packed", number) for number in range(50)) + b"]"
in_brotli = cast("Callable[[bytes], bytes]", brotli.compress)
ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": in_brotli,
    "zstd": zstandard.compress,
}


@contextmanager
def served(encoding: str) -> Generator[tuple[str, list[str]]]:
    """A server that sends one page in this encoding, and what it was told that clients accept."""
    accepted: list[str] = []
    packed = ENCODINGS[encoding](BODY)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            accepted.append(self.headers["accept-encoding"])
            self.send_response(200)
            self.send_header("content-encoding", encoding)
            self.send_header("content-length", str(len(packed)))
            self.end_headers()
            self.wfile.write(packed)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", accepted
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_a_packed_page(encoding: str) -> None:
    with served(encoding) as (url, accepted):
        crawl = Crawl.model_validate({"url": url, "paginate": {"kind": "none"}})
        by_async_for = [document async for document in documents(crawl)]
        assert by_async_for == list(documents(crawl))
    assert b"[" + b",".join(by_async_for) + b"]" == BODY
    assert len(json.loads(BODY)) == len(by_async_for)
    assert all({*encoding.split(", ")} <= {*told.split(", ")} for told in accepted)
