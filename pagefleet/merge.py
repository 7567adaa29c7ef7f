"""Several answers that make one page: the same documents, each time with other members (MediaWiki).

They are merged as text. A value of which only one answer speaks, or that all of them write alike, keeps its bytes.
"""

import json
import re
from collections.abc import Iterator, Sequence

from pagefleet.decode import member
from pagefleet.errors import Stop
from pagefleet.paths import Names

BLANKS = re.compile(r"[ \t\r\n]*")
_scan = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str, strict=False).raw_decode
"""Finds where a value ends; that it is JSON was seen before."""


def merged(parts: Sequence[Sequence[bytes]], key: Names) -> list[bytes]:
    """The documents of all parts in the order of their first appearance; those with one key become one.

    Of what two parts say of a document objects are merged, arrays are joined, and else the later one counts.
    """
    if len(parts) == 1:
        return list(parts[0])
    if not key:
        raise Stop("a page of several answers needs the crawl's key, to tell which documents are the same; add it")
    whole: dict[str, bytes] = {}
    for number, part in enumerate(parts):
        for index, document in enumerate(part):
            name = member(document, key) or f"{number}-{index} has no key"
            whole[name] = _both(whole[name], document) if name in whole else document
    return list(whole.values())


def _both(one: bytes, other: bytes) -> bytes:
    try:
        return _merged(one.decode(), other.decode()).encode()
    except RecursionError as error:
        raise Stop("the page is nested too deep to be merged") from error


def _merged(one: str, other: str) -> str:
    kinds = one[:1] + other[:1]
    if one == other or kinds not in ("{{", "[["):
        return other
    return _with_members(one, other) if kinds == "{{" else _with_elements(one, other)


def _with_members(one: str, other: str) -> str:
    before = {json.loads(name): (name, value) for name, value in _members(one)}
    after = dict(before)
    for written, value in _members(other):
        name = json.loads(written)
        after[name] = (after[name][0], _merged(after[name][1], value)) if name in after else (written, value)
    return one if after == before else "{" + ",".join(f"{name}:{value}" for name, value in after.values()) + "}"


def _with_elements(one: str, other: str) -> str:
    before = list(_values(one, 1))
    known = frozenset(before)
    more = [value for value in _values(other, 1) if value not in known]
    return f"[{','.join(before + more)}]" if more else one


def _members(text: str) -> Iterator[tuple[str, str]]:
    """The names of an object, as they are written, and their values."""
    parts = _values(text, 1)
    return zip(parts, parts, strict=True)


def _values(text: str, at: int) -> Iterator[str]:
    """What stands between the commas, and colons, of an array or an object."""
    at = _behind_blanks(text, at)
    while text[at] not in "]}":
        _, end = _scan(text, at)
        yield text[at:end]
        at = _behind_blanks(text, end)
        if text[at] in ",:":
            at = _behind_blanks(text, at + 1)


def _behind_blanks(text: str, at: int) -> int:
    found = BLANKS.match(text, at)
    return found.end() if found else at
