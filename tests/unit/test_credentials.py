"""Credentials belong to an origin, and what a server writes is never looked up as one."""

import json

import pytest

from pagefleet.crawl import Crawl
from pagefleet.credentials import dressed
from pagefleet.errors import Stop
from pagefleet.page import Checkpoint, Response
from pagefleet.walk import walk

URL = "https://api.example.org/things"


@pytest.mark.parametrize("text", ["env:AWS_SECRET", "Bearer env:AWS_SECRET", "file:/etc/passwd", "x\nfile:/etc/passwd"])
def test_a_cursor_in_a_header_is_not_looked_up(text: str) -> None:
    """Else a server would get any variable and any file of the worker for the asking."""
    paginate = {"kind": "cursor", "next": "next", "param": "header:X-Cursor"}
    crawl = Crawl.model_validate(
        {"url": URL, "documents": "data", "paginate": paginate, "headers": {"X-Key": "env:API_KEY"}}
    )
    flow = walk(crawl, Checkpoint())
    flow.send(None)
    flow.send(Response(200, URL, {}, json.dumps({"data": [1], "next": text}).encode()))
    with pytest.raises(Stop) as stop:
        flow.send(None)
    assert str(stop.value) == f"going on to {URL}: the cursor for the header X-Cursor reads like a secret's name"


def test_the_crawls_own_headers_are_looked_up() -> None:
    crawl = Crawl.model_validate({"url": URL, "paginate": {"kind": "none"}, "headers": {"X-Key": "Key env:API_KEY"}})
    assert dressed(crawl, crawl.first()).headers == {"X-Key": "Key env:API_KEY"}
