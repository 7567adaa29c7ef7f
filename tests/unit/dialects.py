"""Collections of any size, and what a server of any dialect needs to page through them, in memory."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from hypothesis import strategies as st
from msgspec.structs import replace

from pagefleet.crawl import Crawl
from pagefleet.page import Page, Request, Response
from tests.unit.test_walk import URL, Server, checkpoints, page, run

Fields = dict[str, Any]


@dataclass(frozen=True)
class Sent:
    """A request, taken apart. A parameter or a header that is given twice is a mistake of the walk's."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> Fields:
        assert self.headers["content-type"] == "application/json"
        members: Fields = json.loads(self.text)
        return members

    @property
    def form(self) -> Mapping[str, str]:
        assert self.headers["content-type"] == "application/x-www-form-urlencoded"
        return _once(parse_qsl(self.text, keep_blank_values=True, strict_parsing=True))


def sent(request: Request) -> Sent:
    parts = urlsplit(request.url)
    headers = _once([(name.lower(), value) for name, value in request.headers.items()])
    params = _once(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    return Sent(request.method, parts.path, params, headers, (request.body or b"").decode())


def _once(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


class Dialect(Server):
    """A collection, paged by `size`; `ways` are what sets one server of a dialect apart from another."""

    def __init__(self, documents: Sequence[bytes], size: int, **ways: Any) -> None:
        super().__init__()
        self.documents, self.size, self.ways = documents, size, ways

    def part(self, start: int, size: int | None = None) -> list[bytes]:
        """The documents of a page."""
        assert 0 <= start <= len(self.documents)
        return list(self.documents[start : start + (size or self.size)])

    def seen(self, documents: Sequence[bytes]) -> list[Any]:
        """Documents as they are to be compared: byte by byte."""
        return list(documents)

    def plain(self, one: Page) -> Page:
        """A page as it is to be compared with the same one of another walk."""
        return replace(one, seconds=0)

    def is_end(self, start: int) -> bool:
        """Is the page that starts here the last?"""
        return start + self.size >= len(self.documents)

    def fresh(self) -> "Dialect":
        """The same server, that has not been asked anything."""
        return type(self)(self.documents, self.size, **self.ways)


def answered(documents: Sequence[bytes], headers: Mapping[str, str] | None = None, **meta: Any) -> Response:
    """An answer in JSON; `meta` are members beside the documents."""
    members = b"".join(
        json.dumps(name).encode() + b": " + json.dumps(value).encode() + b", " for name, value in meta.items()
    )
    lower = {name.lower(): value for name, value in (headers or {}).items()}
    return page(b"{" + members + b'"data": [' + b", ".join(documents) + b"]}", headers=lower)


@st.composite
def collections(draw: st.DrawFn) -> tuple[list[bytes], int]:
    """Documents in the order of their ids, and a page size: around the edges of a page, or any number."""
    size = draw(st.integers(1, 7))
    edges = st.sampled_from([0, 1, size - 1, size, size + 1, 2 * size, 2 * size + 1, 3 * size - 1, 3 * size])
    count = draw(edges | st.integers(0, 15))
    texts = draw(st.lists(st.text(max_size=3), min_size=count, max_size=count))
    return [document(3 * number, text) for number, text in enumerate(texts)], size


def document(number: int, text: str) -> bytes:
    return json.dumps({"id": number, "text": text, "of": {"kind": f"k{number}"}}).encode()


def identifier(one: bytes) -> int:
    found: int = json.loads(one)["id"]
    return found


def assert_exact(server: Dialect, said: Fields) -> None:
    """All documents, once, in order; and from every checkpoint exactly the rest."""
    fields = {"url": URL, "documents": "data", **said}
    crawl = Crawl.model_validate(fields)
    pages = list(run(crawl, server.fresh()))
    assert server.seen([one for found in pages for one in found.documents]) == server.seen(server.documents)
    assert [found.is_last for found in pages] == [False] * (len(pages) - 1) + [True]
    again = Crawl.model_validate_json(crawl.model_dump_json(by_alias=True, exclude_defaults=True))
    for number, at in checkpoints(pages):
        rest = list(run(again, server.fresh(), at))
        assert [server.plain(one) for one in rest] == [server.plain(one) for one in pages[number:]], at
