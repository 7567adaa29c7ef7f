"""Bytes to documents: slices of the server's own bytes, and the few members that paginators and verdicts need.

A document is never decoded on its way through, so `12345678901234567890`, `1.0`, `1e400`, key order and escapes
arrive as they were sent. msgspec walks the body once, with a structure made for the paths of the crawl.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from pydantic import AfterValidator

from pagefleet.errors import Stop

SEGMENT = re.compile(r"""\.?(?:([^.\[\]'"\s]+)|\[(?:'([^']*)'|"([^"]*)")\])""")
Names = tuple[str, ...]


def parse_path(text: str) -> Names:
    """A chain of member names: `data.items`, `$.data.items` or `$['@odata.nextLink']`; `$` alone is the body.

    This is the part of RFC 9535 (JSONPath) that names exactly one place.
    """
    rest = text.removeprefix("$")
    names: list[str] = []
    while rest:
        found = SEGMENT.match(rest)
        if found is None:
            raise ValueError(f"{text!r} is not a path: write member names with dots, or $['a name'] for odd ones")
        names.append(next(name for name in found.groups() if name is not None))
        rest = rest[found.end() :]
    return tuple(names)


def _checked(text: str) -> str:
    parse_path(text)
    return text


Path = Annotated[str, AfterValidator(_checked)]
"""A path within a JSON body, as `parse_path` reads it."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """The documents of a body in order, and the members asked for; a member that is not there is left out."""

    documents: list[bytes]
    members: Mapping[str, Any]


class Decoder:
    """Takes bodies apart by the path of the documents and the paths of members."""

    def __init__(self, documents: str, members: Sequence[str] = ()) -> None:
        self._path = documents
        self._names = parse_path(documents)
        self._members = {member: parse_path(member) for member in members}
        if not self._names and any(self._members.values()):
            raise ValueError(
                f"documents={documents!r} makes the body an array, which has no {members[0]!r}: name the member that holds the documents"
            )
        self._decoder = msgspec.json.Decoder[Any](self._type())

    def decode(self, body: bytes) -> Decoded:
        """Slice the documents out; raises `Stop` when the body is not what the crawl says it is."""
        body = body.removeprefix(b"\xef\xbb\xbf")
        try:
            body.isascii() or body.decode()
            tree = self._decoder.decode(body)
        except UnicodeDecodeError as error:
            raise Stop(f"the page is not UTF-8: byte {error.start} is {body[error.start]:#04x}") from error
        except msgspec.DecodeError as error:
            raise Stop(self._complaint(body, error)) from error
        found = _walk(tree, self._names)
        if found is None:
            found = []
        if not isinstance(found, list):
            raise Stop(self._missing(body, found))
        members = {member: _walk(tree, names) for member, names in self._members.items()}
        raws: list[msgspec.Raw] = found
        return Decoded(
            documents=[bytes(raw) for raw in raws],
            members={m: json.loads(bytes(v)) for m, v in members.items() if isinstance(v, msgspec.Raw)},
        )

    def _type(self) -> Any:
        if not self._names:
            return list[msgspec.Raw]
        tree: dict[str, Any] = {}
        for names in self._members.values():
            _plant(tree, names, {})
        _plant(tree, self._names, list)
        return _structure(tree)

    def _complaint(self, body: bytes, error: msgspec.DecodeError) -> str:
        head = body[:60].decode(errors="replace")
        if isinstance(error, msgspec.ValidationError):
            return self._missing(body, None)
        return f"the page is not JSON ({error}): it starts with {head!r}"

    def _missing(self, body: bytes, found: Any) -> str:
        value = json.loads(body)
        for depth, name in enumerate(self._names):
            if not isinstance(value, dict) or name not in value:
                place = ".".join(self._names[:depth]) or "the page"
                return f"no {name!r} in {place}: {_describe(value)}; correct the crawl's documents={self._path!r}"
            value = value[name]
        return f"documents={self._path!r} is {_describe(value)}, not an array; name the member that is one"


def member(document: bytes, names: Names) -> str | None:
    """One scalar member of a document as text (a string as it reads, all else as it is written), None if absent."""
    decoder = _member_decoder(names)
    try:
        found = _walk(decoder.decode(document), names)
    except msgspec.MsgspecError:
        return None
    if not isinstance(found, msgspec.Raw):
        return None
    text = bytes(found)
    if text == b"null" or text[:1] in (b"{", b"["):
        return None
    return str(json.loads(text)) if text[:1] == b'"' else text.decode()


_decoders: dict[Names, msgspec.json.Decoder[Any]] = {}


def _member_decoder(names: Names) -> msgspec.json.Decoder[Any]:
    if names not in _decoders:
        tree: dict[str, Any] = {}
        _plant(tree, names, {})
        _decoders[names] = msgspec.json.Decoder[Any](_structure(tree))
    return _decoders[names]


def _plant(tree: dict[str, Any], names: Names, leaf: Any) -> None:
    for name in names[:-1]:
        tree = tree.setdefault(name, {})
    if tree.setdefault(names[-1], leaf) != leaf:
        raise ValueError(f"{'.'.join(names)!r} holds the documents and another member at once")


Elsewise = list[msgspec.Raw] | str | int | float | bool | None
"""What may stand in place of an object without making the page unreadable: PHP sends [] for {}."""


def _structure(tree: Mapping[str, Any]) -> Any:
    fields: list[tuple[str, Any, Any]] = []
    names: dict[str, str] = {}
    for number, (name, below) in enumerate(tree.items()):
        kind: Any = msgspec.Raw
        if below is list:
            kind = dict[str, msgspec.Raw] | Elsewise
        elif below:
            kind = _structure(below) | Elsewise
        fields.append((f"m{number}", kind, msgspec.UNSET))
        names[f"m{number}"] = name
    return msgspec.defstruct("Members", fields, rename=names)


def _walk(tree: Any, names: Names) -> Any:
    for name in names:
        if not isinstance(tree, msgspec.Struct):
            return msgspec.UNSET
        places = dict(zip(tree.__struct_encode_fields__, tree.__struct_fields__, strict=True))
        tree = getattr(tree, places[name])
    return tree


def _describe(value: Any) -> str:
    match value:
        case dict():
            return "an object with the members " + ", ".join(map(repr, list[Any](value)[:12]))
        case list():
            return f"an array of {len(list[Any](value))}"
        case None:
            return "null"
        case _:
            return f"the {type(value).__name__} {str(value)[:40]!r}"
