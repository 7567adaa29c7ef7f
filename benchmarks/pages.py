"""What the benchmarks crawl: collections whose documents and pages are functions of their numbers.

The page `n` of a collection of `last` pages is at `/<collection>/<last>/<n>.json`, as in `/k1/1000/1.json`; a crawl of
fewer pages starts further behind. Its body is `{"items": [...], "next": "/k1/1000/2.json"}`, so that who wants the next
page has to have read this one. A site (`site.py`) also takes `?offset=200`: so many documents behind the page's first.
"""

import gzip
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

CYCLE = 100
"""Pages whose documents differ; the next hundred has the same ones."""
WORDS = (
    *("harbour", "lantern", "copper", "meadow", "été", "quiet", "river", "naïve", "signal", "window", "漢字", "garden"),
    *("thread", "winter", "Größe", "marble", "engine", "paper", "stone", "forest"),
)


@dataclass(frozen=True, slots=True)
class Collection:
    """`count` documents a page, each of `size` bytes of JSON."""

    name: str
    count: int
    size: int
    is_gzipped: bool = False
    is_xml: bool = False

    def document(self, page: int, index: int) -> bytes:
        """One document; pages count from 1, indexes from 0."""
        number = ((page - 1) % CYCLE) * self.count + index
        return _element(number, self.size) if self.is_xml else _document(number, self.size)

    def body(self, page: int, last: int) -> bytes:
        """One page, as it is sent; behind the last there are no documents."""
        documents = _documents(self, (page - 1) % CYCLE + 1) if page <= last else ()
        following = self.path(page + 1, last) if page < last else ""
        whole = _xml(documents, following) if self.is_xml else _json(documents, following)
        return gzip.compress(whole, 6, mtime=0) if self.is_gzipped else whole

    def path(self, page: int, last: int) -> str:
        """Where it is."""
        return f"/{self.name}/{last}/{page}.{'xml' if self.is_xml else 'json'}"


COLLECTIONS = {
    one.name: one
    for one in (
        Collection("k1", 100, 1024),
        Collection("k1big", 1000, 1024),
        Collection("b100", 100, 100),
        Collection("k1gz", 100, 1024, is_gzipped=True),
        Collection("xml", 100, 4096, is_xml=True),
    )
}


@dataclass(frozen=True, slots=True)
class Place:
    """What the path of a page says."""

    collection: Collection
    last: int
    page: int

    @classmethod
    def of(cls, url: str) -> "Place":
        """From a URL or a path; raises ValueError when there is no such page."""
        found = re.search(r"/(\w+)/(\d+)/(\d+)\.(?:json|xml)(?:\?offset=(\d+))?$", url)
        if found is None or found[1] not in COLLECTIONS:
            raise ValueError(f"{url} is no page of a collection")
        collection = COLLECTIONS[found[1]]
        return cls(collection, int(found[2]), int(found[3]) + int(found[4] or 0) // collection.count)

    @property
    def pages(self) -> int:
        """How many there are from here to the last."""
        return self.last - self.page + 1

    @property
    def documents(self) -> int:
        """How many there are from here to the last."""
        return self.pages * self.collection.count

    def ends(self) -> tuple[bytes, bytes]:
        """The first document from here and the last of all."""
        collection = self.collection
        return collection.document(self.page, 0), collection.document(self.last, collection.count - 1)


@cache
def _documents(collection: Collection, page: int) -> tuple[bytes, ...]:
    return tuple(collection.document(page, index) for index in range(collection.count))


def _json(documents: Sequence[bytes], following: str) -> bytes:
    pointer = f'"{following}"' if following else "null"
    return b'{"items":[' + b",".join(documents) + b'],"next":' + pointer.encode() + b"}"


def _xml(documents: Sequence[bytes], following: str) -> bytes:
    pointer = f"<next>{following}</next>" if following else ""
    return b"<page>" + b"".join(documents) + pointer.encode() + b"</page>"


def _element(number: int, size: int) -> bytes:
    """A record as libraries exchange them: many small elements, so that it is work to take it apart."""
    words, parts = _words(number), [f'<document id="{number}">'.encode()]
    length = len(parts[0])
    while length < size - 200:
        text = b" ".join(next(words) for _ in range(4))
        part = b'<field tag="%d" ind1="1"><part code="a">%b</part><part code="b">%b</part></field>'
        parts.append(part % (100 + len(parts), text, next(words)))
        length += len(parts[-1])
    return _filled(b"".join(parts) + b"<text>", b"</text></document>", size, number)


def _document(number: int, size: int) -> bytes:
    """Compact JSON, with escapes and trailing zeros, which show when it is decoded and encoded again."""
    if size < 256:
        head = f'{{"id":{number},"price":{number % 97}.50,"tag":"caf\\u00e9","text":"'
    else:
        nested = {"z": [], "a": [1.5, None, True, {"deep": [number, number % 7]}], "words": WORDS[number % 9 :][:3]}
        head = (
            f'{{"id":{number},"number":100000000{number:06},"price":{number % 97}.50,'
            f'"tag":"caf\\u00e9 \\"q\\"","nested":{json.dumps(nested, ensure_ascii=False)},"text":"'
        )
    return _filled(head.encode(), b'"}', size, number)


def _filled(head: bytes, tail: bytes, size: int, seed: int) -> bytes:
    """Words in between, up to the size, so that it compresses as prose does and not as a row of blanks."""
    text, room = bytearray(), size - len(head) - len(tail)
    for word in _words(seed):
        if len(text) + len(word) >= room:
            break
        text += word + b" "
    return head + bytes(text) + b"." * (room - len(text)) + tail


def _words(seed: int) -> Iterator[bytes]:
    chosen = random.Random(seed)
    while True:
        yield chosen.choice(WORDS).encode()
