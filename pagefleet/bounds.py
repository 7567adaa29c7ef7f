"""What a page may hold, so that no server can fill a worker's memory, or hold up its other crawls.

A decoder runs in one go, and Python does nothing else meanwhile: 60 MiB of `[1,1,1,...]` would take 20 s and 4 GiB. So
what it would make of a body is estimated first, by looking for single bytes, and counted where that may be too much.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from pagefleet.errors import Stop

OTHERS = bytes(byte for byte in range(256) if byte not in b"[]{}")
ALIKE = bytes.maketrans(b"{}", b"[]")
TREE = 1_500_000
"""Values of a page that is made into Python objects as a whole, which takes a second."""
CONTAINERS = 4_000_000
"""Arrays and objects of a page that is only cut."""
FEW, MANY = 300_000, 1_000_000
"""Elements that an array may have without being counted; and that are counted at all."""
MARKS = 3_000_000
"""Tags and attributes of a page of XML or HTML."""
OVERLAP = 2
"""How many times larger than their page documents may be together: a path may name some within others."""
BLOCK = 1024**2


class _Object(msgspec.Struct, gc=False):
    """Any object; nothing of it is kept."""


class _Array(msgspec.Struct, gc=False, array_like=True):
    """Any array; nothing of it is kept."""


_objects, _arrays = msgspec.json.Decoder(list[_Object]), msgspec.json.Decoder(list[_Array])


@dataclass(frozen=True, slots=True)
class Bounds:
    """The part of a crawl's limits that holds for what is in a page. What is broken passes: decoders say it better."""

    documents: int = 100_000
    document: int = 16 * 1024**2
    depth: int = 64

    def check_containers(self, body: bytes) -> None:
        """Before a JSON body is cut into documents; raises `Stop`."""
        if len(body) > CONTAINERS and _openers(body) > CONTAINERS:
            raise Stop(f"it holds more than {CONTAINERS:,} arrays and objects; ask for smaller pages")

    def check_depth(self, text: bytes) -> None:
        """Raises `Stop` when arrays and objects are too deep within each other. Python's own limit differs from release
        to release, and a document must be one to every consumer."""
        if _openers(text) <= self.depth:
            return
        if b"[]" in self._collapsed(_brackets(text)):
            raise Stop(f"it is nested deeper than limits.depth = {self.depth}; raise that if its readers can read it")

    def _collapsed(self, left: bytes) -> bytes:
        """Brackets without the innermost pairs, again and again, as many times as they may be within each other."""
        for _ in range(self.depth):
            shorter = left.replace(b"[]", b"")
            if len(shorter) == len(left):
                break
            left = shorter
        return left

    def check_tree(self, body: bytes) -> None:
        """Before all of a JSON body becomes Python objects; raises `Stop`."""
        if body.count(b",") + body.count(b"[") + body.count(b"{") > TREE:
            raise Stop(f"it holds more than {TREE:,} values, too many to look for some; ask for smaller pages")
        self.check_containers(body)
        self.check_depth(body)

    def check_markup(self, body: bytes) -> None:
        """Before XML or HTML becomes a tree; raises `Stop`."""
        if body.count(b"<") + body.count(b"=") > MARKS:
            raise Stop(f"it holds more than {MARKS:,} tags and attributes; ask for smaller pages")

    def may_be_too_many(self, body: bytes) -> bool:
        """May an array in it have too many elements, so that `check_array` has to look?"""
        least = max(FEW, self.documents)
        return len(body) > 2 * least and body.count(b",") >= least

    def check_array(self, array: bytes) -> None:
        """Raises `Stop` when a JSON array has too many elements, or too many to count them."""
        counters: tuple[tuple[msgspec.json.Decoder[Any], bytes], ...] = ((_objects, b"{"), (_arrays, b"["))
        for decoder, opener in counters:
            if array.count(opener) <= max(MANY, self.documents):
                try:
                    count = len(decoder.decode(array))
                except msgspec.DecodeError:
                    continue
                if count > self.documents:
                    raise self._too_many()
                return
        if array.count(b",") > max(MANY, self.documents):
            raise self._too_many()

    def checked(self, documents: list[bytes]) -> list[bytes]:
        """The documents of a JSON body that lie beside each other in it; raises `Stop` when there are too many, or one
        is too large or too deep."""
        depth = self.depth
        for text in documents:  # `_openers`, without a call for each
            if 2 * len(text) - len(text.replace(b"{", b"")) - len(text.replace(b"[", b"")) > depth:
                self.check_depth(text)
        if len(documents) > self.documents or max(map(len, documents), default=0) > self.document:
            return self.collected(documents, b"".join(documents))
        return documents

    def collected(self, found: Iterable[bytes], body: bytes) -> list[bytes]:
        """The documents of a body; raises `Stop` at the first that is one too many, or too large."""
        documents: list[bytes] = []
        size, most = 0, OVERLAP * len(body) + self.document
        for document in found:
            size += len(document)
            if len(documents) >= self.documents:
                raise self._too_many()
            if len(document) > self.document:
                raise Stop(
                    f"document {len(documents) + 1} of it has {len(document):,} bytes, more than limits.document = "
                    f"{self.document}; raise that if Redis and the readers can take it"
                )
            if size > most:
                raise Stop(f"its documents are more than {OVERLAP} times as large as it: they lie within each other")
            documents.append(document)
        return documents

    def _too_many(self) -> Stop:
        return Stop(f"it holds more than limits.documents = {self.documents} documents; ask for smaller pages")


DEFAULT = Bounds()


def _openers(text: bytes) -> int:
    """How many arrays and objects there are at most: some may stand in strings. `count` takes three times as long."""
    return 2 * len(text) - len(text.replace(b"{", b"")) - len(text.replace(b"[", b""))


def _brackets(body: bytes) -> bytes:
    """Those that stand outside of JSON's strings."""
    body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    parts: list[bytes] = []
    is_inside = 0
    for start in range(0, len(body), BLOCK):
        block = body[start : start + BLOCK].split(b'"')
        parts.append(b"".join(block[is_inside::2]).translate(ALIKE, OTHERS))
        is_inside ^= (len(block) - 1) & 1
    return b"".join(parts)
