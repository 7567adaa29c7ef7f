"""Bytes to documents: slices of the server's own bytes, and the few members that paginators and verdicts need.

A document is never decoded on its way through, so `12345678901234567890`, `1.0`, `1e400`, key order and escapes
arrive as they were sent. msgspec walks the body once, with a structure made for the paths of the crawl.
"""

import codecs
import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeGuard, TypeVar

import msgspec

from pagefleet.bounds import DEFAULT, Bounds
from pagefleet.errors import Garbled, Stop
from pagefleet.paths import Names, Through, parse_path
from pagefleet.redaction import cut, quoted

T = TypeVar("T")


class Decoded(msgspec.Struct, frozen=True):
    """The documents of a body in order, and the members asked for; a member that is not there is left out."""

    documents: list[bytes]
    members: Mapping[str, Any]


class Decoder:
    """Takes bodies apart by the path of the documents and the paths of members."""

    def __init__(self, documents: str, members: Sequence[str] = ()) -> None:
        self._path = documents
        self._names = parse_path(documents)
        self._members = {member: parse_path(member) for member in members}
        if not self._names and members:
            raise ValueError(
                f"documents={documents!r} makes the body an array, which has no {members[0]!r}: "
                f"name the member that holds the documents"
            )
        self._decoder = msgspec.json.Decoder[Any](self._type())

    def decode(self, body: bytes, bounds: Bounds = DEFAULT) -> Decoded:
        """Slice the documents out; raises `Stop` when the body is not what the crawl says it is."""
        body = body.removeprefix(b"\xef\xbb\xbf")
        bounds.check_containers(body)
        if bounds.may_be_too_many(body) and (array := raw_at(body, self._names) if self._names else body):
            bounds.check_array(array)
        try:
            check_utf8(body)
            tree, mend = taken_apart(self._decoder.decode, body)
        except UnicodeDecodeError as error:
            raise Garbled(f"the page is not UTF-8: byte {error.start} is {body[error.start]:#04x}") from error
        except msgspec.ValidationError as error:
            raise self._missing(body, str(error)) from error
        except msgspec.DecodeError as error:
            raise not_json(body, error) from error
        except RecursionError as error:
            raise Stop("the page is nested too deep to be read") from error
        found = _walk(tree, self._names)
        if found is None:
            found = list[Any]()
        if not is_array(found):
            raise self._missing(body, "an object")
        raws = {member: _walk(tree, names) for member, names in self._members.items()}
        members = {name: mend(raw) for name, raw in raws.items() if isinstance(raw, msgspec.Raw)}
        for text in members.values():
            bounds.check_depth(text)
        return Decoded(
            documents=bounds.checked(list(map(mend, found))),
            members={name: as_value(text) for name, text in members.items()},
        )

    def _type(self) -> Any:
        if not self._names:
            return list[msgspec.Raw]
        tree: dict[str, Any] = {}
        for names in self._members.values():
            _plant(tree, names, msgspec.Raw)
        _plant(tree, self._names, list)
        return _structure(tree)

    def _missing(self, body: bytes, fault: str) -> Stop:
        try:
            DEFAULT.check_tree(body)
            value: Any = json.loads(body, parse_int=read_int)
        except Stop:
            return Stop(f"documents={self._path!r} names no array in it: {fault}")
        except (ValueError, RecursionError) as error:
            return not_json(body, error)
        for depth, name in enumerate(self._names):
            if not is_object(value) or name not in value:
                place = ".".join(self._names[:depth]) or "the page"
                return Stop(f"no {name!r} in {place}: {_describe(value)}; correct the crawl's documents={self._path!r}")
            value = value[name]
        if isinstance(value, list):
            return Stop(f"the page cannot be read: {fault}")
        return Stop(f"documents={self._path!r} is {_describe(value)}, not an array; name the member that is one")


UTF8_BLOCK = 32 * 1024
"""Bytes that are checked at once: there is no cache that has room for the text of a whole page."""


def check_utf8(body: bytes) -> None:
    """Raises `UnicodeDecodeError`."""
    view, start = memoryview(body), 0
    try:
        while start < len(body):
            end = start + UTF8_BLOCK
            _, seen = codecs.utf_8_decode(view[start:end], "strict", end >= len(body))
            start += seen
    except UnicodeDecodeError:
        str(body, "utf-8")  # says where


def not_json(body: bytes, error: Exception) -> Stop:
    """What to say of a body that is not JSON: a page of HTML stays one, JSON that was cut may come whole."""
    kind = Stop if body.lstrip()[:1] == b"<" else Garbled
    return kind(f"the page is not JSON ({error}): it starts with {body[:60].decode(errors='replace')!r}")


SURROGATE = re.compile(rb"\\u([dD])(?=[89a-fA-F])")
STAND_IN = re.compile(rb"\\u([eE])(?=[89a-fA-F])")


def taken_apart(decode: Callable[[bytes], T], body: bytes) -> tuple[T, Callable[[msgspec.Raw], bytes]]:
    """What msgspec makes of a body, and what makes its slices the body's own bytes again.

    A server that cuts strings by UTF-16 units sends half an emoji, `"\\ud83d"`. That is JSON, but not to msgspec, which
    therefore gets to see the same bytes with private characters in the place of all surrogates.
    """
    try:
        return decode(body), bytes
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        if not SURROGATE.search(body) or STAND_IN.search(body):
            raise
        tree = decode(SURROGATE.sub(lambda found: b"\\u" + (b"e" if found[1] == b"d" else b"E"), body))
        return tree, lambda part: STAND_IN.sub(lambda found: b"\\u" + (b"d" if found[1] == b"e" else b"D"), bytes(part))


DIGITS = 4300
"""Python reads no longer whole number."""


LONGEST_MEMBER = 1024**2
"""Bytes of JSON that are made into Python objects beside the documents: cursors, totals, links."""


def as_value(text: bytes) -> Any:
    """JSON as Python objects; a number that Python could not write the same again stays as it is written."""
    if len(text) > LONGEST_MEMBER:
        raise Stop(f"a member that is to be read has {len(text):,} bytes: it starts with {text[:60]!r}")
    return _values.decode(str(text, "utf-8", "surrogatepass"))


def read_float(digits: str) -> float | str:
    """For `json.loads`: a number, or its digits if they would not be written the same again."""
    value = float(digits)
    return value if repr(value) == digits else digits


def read_int(digits: str) -> int | str:
    """For `json.loads`: Python reads no number of more digits."""
    return int(digits) if len(digits) <= DIGITS else digits


_values = json.JSONDecoder(parse_float=read_float, parse_int=read_int)


def member(document: bytes, names: Names) -> str | None:
    """One scalar member of a document as text (a string as it reads, all else as it is written), None if absent."""
    text = raw_at(document, names)
    return None if text is None else _text(text)


def _text(text: bytes) -> str | None:
    if text == b"null" or text[:1] in (b"{", b"["):
        return None
    return _readable(text) if text[:1] == b'"' else text.decode()


def keys_of(documents: Sequence[bytes], names: Names) -> list[str]:
    """The scalar member of each document as text, '' where there is none: `member`, for all of a page at once."""
    if isinstance(names, Through):
        return [member(document, names) or "" for document in documents]
    try:
        found = _keys_decoder(names).decode(b"[%b]" % b",".join(documents))
    except (msgspec.MsgspecError, RecursionError):
        found = []
    if len(found) != len(documents):
        return [member(document, names) or "" for document in documents]
    for _ in names:
        found = [getattr(tree, "m0", None) for tree in found]
    return [_text(bytes(raw)) or "" if isinstance(raw, msgspec.Raw) else "" for raw in found]


def value_at(document: bytes, names: Names) -> Any:
    """One member of a document as Python objects, None if absent."""
    text = raw_at(document, names)
    return None if text is None else as_value(text)


def raw_at(document: bytes, names: Names) -> bytes | None:
    """One member of a document as it is written there, None if absent."""
    if isinstance(names, Through):
        return _through(document, names)
    try:
        tree, mend = taken_apart(_member_decoder(names).decode, document)
    except (msgspec.MsgspecError, RecursionError):
        return None
    for _ in names:
        tree = getattr(tree, "m0", None)  # the one member that is asked for
    return mend(tree) if isinstance(tree, msgspec.Raw) else None


_object, _array = msgspec.json.Decoder(dict[str, msgspec.Raw]), msgspec.json.Decoder(list[msgspec.Raw])


def _through(document: bytes, names: Names) -> bytes | None:
    """The same for documents that were made by us, so that there are no odd bytes in them to be kept."""
    found = document
    for name in names:
        below = _object.decode(found).get(name) if found[:1] == b"{" else None
        found = b"" if below is None else bytes(below)
        if found[:1] == b"[" and len(several := _array.decode(found)) == 1:
            found = bytes(several[0])
    return found or None


def _readable(text: bytes) -> str:
    """A JSON string as it reads, or, if half an emoji makes it unfit for UTF-8, as it is written."""
    if b"\\" not in text:
        return text[1:-1].decode()
    read = str(json.loads(text))
    try:
        read.encode()
    except UnicodeEncodeError:
        return text.decode()
    return read


_decoders: dict[Names, msgspec.json.Decoder[Any]] = {}


def _member_decoder(names: Names) -> msgspec.json.Decoder[Any]:
    if names not in _decoders:
        _decoders[names] = msgspec.json.Decoder[Any](_member_type(names))
    return _decoders[names]


@cache
def _keys_decoder(names: Names) -> msgspec.json.Decoder[list[Any]]:
    return msgspec.json.Decoder[list[Any]](list[_member_type(names) | Elsewise])  # type: ignore[misc]


def _member_type(names: Names) -> Any:
    tree: dict[str, Any] = {}
    _plant(tree, names, msgspec.Raw)
    return _structure(tree)


def _plant(tree: dict[str, Any], names: Names, leaf: type) -> None:
    if not names:
        raise ValueError("'$' is the whole body: name a member of it")
    place: Any = tree
    for depth, name in enumerate(names, 1):
        below: Any = leaf if depth == len(names) else {}
        if not is_object(place) or (place.setdefault(name, below) != below and below is leaf):
            raise ValueError(f"{'.'.join(names)!r} and a part of it, or documents in it, cannot be asked for at once")
        place = place[name]


Elsewise = list[msgspec.Raw] | str | int | float | bool | None
"""What may stand in place of an object without making the page unreadable: PHP sends [] for {}."""


def _structure(tree: Mapping[str, Any]) -> Any:
    fields: list[tuple[str, Any, Any]] = []
    names: dict[str, str] = {}
    for number, (name, below) in enumerate(tree.items()):
        kind: Any = below
        if below is list:
            kind = dict[str, msgspec.Raw] | Elsewise
        elif is_object(below):
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


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Is it a JSON object?"""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[Any]]:
    """Is it a JSON array?"""
    return isinstance(value, list)


def _describe(value: object) -> str:
    if is_object(value):
        return f"an object with the members {cut(', '.join(map(repr, list(value)[:12])), 160)}"
    if is_array(value):
        return f"an array of {len(value)}"
    return "null" if value is None else f"the {type(value).__name__} {quoted(str(value)[:40])}"
