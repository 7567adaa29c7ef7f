"""JSONPath (RFC 9535) over bytes: the query finds the places, the documents are cut out of the body there.

A query that can only name one place names the array, as a plain chain of members does; any other names the documents
themselves: `$.data.items` and `$.data.items[*]` give the same ones.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from jsonpath_rfc9535 import JSONPathError, JSONPathNodeList, JSONPathQuery, compile

from pagefleet.decode import Decoded
from pagefleet.errors import Stop

Location = tuple[int | str, ...]


def parse_query(text: str) -> JSONPathQuery:
    """A query, written with or without `$.` in front; raises `ValueError`."""
    try:
        return compile(text if text.startswith("$") else f"$.{text}")
    except JSONPathError as error:
        raise ValueError(f"{text!r} is not a JSONPath (RFC 9535): {error}") from error


class JsonPathDecoder:
    """Takes bodies apart by queries; slower than the decoder for plain chains, and as exact."""

    def __init__(self, documents: str, members: Sequence[str] = ()) -> None:
        self._path = documents
        self._query = parse_query(documents)
        self._members = {member: parse_query(member) for member in members}

    def decode(self, body: bytes) -> Decoded:
        """Cut the documents out; raises `Stop` when the body is not JSON, or the query names no array."""
        try:
            tree = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise Stop(f"the page is not JSON ({error}): it starts with {body[:60].decode(errors='replace')!r}") from error
        slices = _Slices(body)
        found = self._query.find(tree)
        members = {member: nodes[0].value for member, query in self._members.items() if (nodes := query.find(tree))}
        return Decoded(self._documents(found, slices), members)

    def _documents(self, found: JSONPathNodeList, slices: "_Slices") -> list[bytes]:
        if not self._query.singular_query():
            return [slices.at(node.location) for node in found]
        if not found:
            raise Stop(f"documents={self._path!r} names nothing in the page; correct it")
        (node,) = found
        if node.value is not None and not isinstance(node.value, list):
            raise Stop(f"documents={self._path!r} is a {type(node.value).__name__}, not an array; name one")
        return [slices.at((*node.location, index)) for index in range(len(node.value or ()))]


class _Slices:
    """Parts of a body by their place in it; each array and object on the way is walked once."""

    def __init__(self, body: bytes) -> None:
        self._parts: dict[Location, Mapping[Any, msgspec.Raw]] = {}
        self._body = body

    def at(self, location: Location) -> bytes:
        return bytes(self._parts_of(location[:-1])[location[-1]]) if location else self._body

    def _parts_of(self, location: Location) -> Mapping[Any, msgspec.Raw]:
        if location not in self._parts:
            whole = self.at(location)
            parts = msgspec.json.decode(whole, type=dict[str, msgspec.Raw] | list[msgspec.Raw])
            self._parts[location] = parts if isinstance(parts, dict) else dict(enumerate(parts))
        return self._parts[location]
