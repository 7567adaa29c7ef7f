"""JSONPath (RFC 9535) over bytes: the query finds the places, the documents are cut out of the body there.

A query that can only name one place names the array, as a plain chain of members does; any other names the documents
themselves: `$.data.items` and `$.data.items[*]` give the same ones. `.` is the body as one document.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from jsonpath_rfc9535 import JSONPathError, JSONPathNodeList, JSONPathQuery
from jsonpath_rfc9535 import compile as compiled

from pagefleet.bounds import DEFAULT, Bounds
from pagefleet.decode import Decoded, is_object, not_json, read_float, read_int, taken_apart
from pagefleet.errors import Stop

Location = tuple[int | str, ...]
WHOLE = "."


def parse_query(text: str) -> JSONPathQuery:
    """A query, written with or without `$.` in front; raises `ValueError`."""
    try:
        return compiled(text if text.startswith("$") else f"$.{text}")
    except JSONPathError as error:
        raise ValueError(
            f"{text!r} is not a path: write member names with dots, $['a name'] for odd ones, or a JSONPath "
            f"(RFC 9535): {error}"
        ) from error


class JsonPathDecoder:
    """Takes bodies apart by queries; slower than the decoder for plain chains, and as exact."""

    def __init__(self, documents: str, members: Sequence[str] = ()) -> None:
        self._path = documents
        self._query = None if documents == WHOLE else parse_query(documents)
        self._members = {member: parse_query(member) for member in members}

    def decode(self, body: bytes, bounds: Bounds = DEFAULT) -> Decoded:
        """Cut the documents out; raises `Stop` when the body is not JSON, or the query names no array."""
        body = body.removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n")
        bounds.check_tree(body)
        try:
            text = str(body, "utf-8")
            tree = json.loads(text, parse_float=read_float, parse_int=read_int, parse_constant=_refused)
            members = {member: nodes[0].value for member, query in self._members.items() if (nodes := query.find(tree))}
            return Decoded(bounds.collected(self._documents(body, tree), body), members)
        except (ValueError, msgspec.DecodeError) as error:
            raise not_json(body, error) from error
        except (RecursionError, JSONPathError) as error:
            raise Stop("the page is nested too deep to be read") from error

    def _documents(self, body: bytes, tree: Any) -> Iterator[bytes]:
        if self._query is None:
            return iter((body,))
        slices, found = _Slices(body), self._query.find(tree)
        if not self._query.singular_query():
            return (slices.at(node.location) for node in found)
        node = self._array(found)
        return (slices.at((*node.location, index)) for index in range(len(node.value or ())))

    def _array(self, found: JSONPathNodeList) -> Any:
        if not found:
            raise Stop(f"documents={self._path!r} names nothing in the page; correct it")
        node = found[0]
        if node.value is not None and not isinstance(node.value, list):
            raise Stop(f"documents={self._path!r} is a {type(node.value).__name__}, not an array; name one")
        return node


def _refused(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


class _Slices:
    """Parts of a body by their place in it; each array and object on the way is walked once."""

    def __init__(self, body: bytes) -> None:
        self._parts: dict[Location, Mapping[Any, bytes]] = {}
        self._body = body

    def at(self, location: Location) -> bytes:
        return self._parts_of(location[:-1])[location[-1]] if location else self._body

    def _parts_of(self, location: Location) -> Mapping[Any, bytes]:
        if location not in self._parts:
            found, mend = taken_apart(_named, self.at(location))
            self._parts[location] = {name: mend(part) for name, part in found}
        return self._parts[location]


_parts = msgspec.json.Decoder[Any](dict[str, msgspec.Raw] | list[msgspec.Raw])


def _named(body: bytes) -> list[tuple[int | str, msgspec.Raw]]:
    found: Any = _parts.decode(body)
    return [*found.items()] if is_object(found) else [*enumerate(found)]
