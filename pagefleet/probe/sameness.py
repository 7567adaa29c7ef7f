"""Are two pages the same, new, or mixed? And by which member are documents told apart."""

import hashlib
import json
from collections.abc import Sequence
from enum import Enum
from typing import Any

from pagefleet.decode import is_object
from pagefleet.paths import parse_path
from pagefleet.probe.envelope import written
from pagefleet.probe.words import plain

KEYS = (
    *("id", "uuid", "guid", "key", "identifier", "doi", "pmid", "pageid"),
    *("uri", "url", "href", "slug", "code", "sku", "isbn", "name"),
)
"""Members that tell documents apart, the best first."""


class Relation(Enum):
    """Of a page to one that was fetched before."""

    SAME = "the same documents"
    NEW = "other documents"
    EMPTY = "no documents"
    SHIFTED = "the same documents, moved on by new ones"
    MIXED = "some of the same documents, some others"


def key_of(documents: Sequence[Any]) -> str | None:
    """The path of a member that is there in all documents, and differs in all; only what is called like a key."""
    if not documents or not all(is_object(one) for one in documents):
        return None
    for names in _candidates(documents[0]):
        found = [value_at(one, names) for one in documents]
        if all(_is_scalar(value) for value in found) and len({str(value) for value in found}) == len(found):
            return written(names)
    return None


def _candidates(document: dict[str, Any]) -> list[tuple[str, ...]]:
    """Well-known names first, then what ends in id, then the same one level further down."""
    own = [(name,) for name in document]
    below = [(name, inner) for name, value in document.items() if is_object(value) for inner in value]
    known = [names for word in KEYS for names in own if plain(names[-1]) == word]
    ids = [names for names in own if _is_id(names[-1])]
    inner = [
        names for names in below if names[-2] in ("properties", "metadata", "attributes", "data", "fields", "header")
    ]
    return list(dict.fromkeys([*known, *ids, *(n for n in inner if plain(n[-1]) in KEYS[:8] or _is_id(n[-1]))]))


def _is_id(name: str) -> bool:
    return plain(name) == "id" or name.endswith(("_id", "Id", "ID", "-id", "@id"))


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""


def value_at(document: Any, names: Sequence[str]) -> Any:
    """The member at the end of a chain; None if there is none."""
    for name in names:
        document = document.get(name) if is_object(document) else None
    return document


def identities(documents: Sequence[Any], key: str | None) -> list[str]:
    """What tells each document from others: its key, or all of it."""
    names = parse_path(key) if key else ()
    found = [value_at(one, names) for one in documents] if names else []
    if names and all(_is_scalar(value) for value in found):
        return [str(value) for value in found]
    return [
        hashlib.sha1(json.dumps(one, sort_keys=True).encode(), usedforsecurity=False).hexdigest() for one in documents
    ]


def relation(before: Sequence[Any], after: Sequence[Any], key: str | None) -> Relation:
    """Of the page `after` to the page `before`."""
    old, new = identities(before, key), identities(after, key)
    if not new:
        return Relation.EMPTY if old else Relation.SAME
    if old == new:
        return Relation.SAME
    if not set(old) & set(new):
        return Relation.NEW
    moved = new.index(old[0]) if old and old[0] in new else 0
    return Relation.SHIFTED if moved and new[moved:] == old[: len(new) - moved] else Relation.MIXED


def is_of_one_shape(before: Sequence[Any], after: Sequence[Any]) -> bool:
    """Do the documents of two pages look alike?"""
    if not all(is_object(one) for one in (*before, *after)):
        return {type(one) for one in before} & {type(one) for one in after} != set()
    shapes = [{name for one in page for name in one} for page in (before, after)]
    return 2 * len(shapes[0] & shapes[1]) >= min(map(len, shapes))
