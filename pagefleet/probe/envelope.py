"""JSON as it comes: arrays that may be the documents, members beside them, and arrays of links."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pagefleet.decode import is_array, is_object
from pagefleet.probe.observation import Member, Place, last_segment, params_of
from pagefleet.probe.params import SIZES
from pagefleet.probe.words import ASIDE, DOCUMENTS, plain

DEEPEST = 5
MOST = 2000
"""Members that are looked at: an envelope is small, and a document is no envelope."""
SEVERAL = 2
PAGES_THAT_ARE_NAMED = frozenset(["next", "prev", "previous", "first", "last", "self", "current"])
"""Members of an object of links, which has the shape of documents by their ids."""


def written(names: Sequence[str]) -> str:
    """A chain of members as crawl files write it."""
    if all(name and not any(char in ".[]'\" \t\n" for char in name) for name in names):
        return ".".join(names) if names and not names[0].startswith("$") else "$" + "".join(f".{n}" for n in names)
    parts = [f"[{json.dumps(name, ensure_ascii=False)}]" if _is_odd(name) else f".{name}" for name in names]
    return "$" + "".join(parts)


def _is_odd(name: str) -> bool:
    return not name or any(char in ".[]'\" \t\n" for char in name)


def members_of(tree: Any) -> list[tuple[tuple[str, ...], Any]]:
    """All members of objects, but for those within arrays, outer ones first."""
    found: list[tuple[tuple[str, ...], Any]] = []
    level: list[tuple[tuple[str, ...], Any]] = [((), tree)]
    for _ in range(DEEPEST):
        below = [((*names, name), value) for names, place in level if is_object(place) for name, value in place.items()]
        found += below
        level = [] if len(found) > MOST else [one for one in below if not _is_map(one[1])]
    return found


def _is_map(value: Any) -> bool:
    """Documents by their ids: all members are objects of one shape, as in MediaWiki's `pages`."""
    if not is_object(value) or len(value) < SEVERAL or not all(is_object(one) and one for one in value.values()):
        return False
    if value.keys() & PAGES_THAT_ARE_NAMED:
        return False
    first, *others = (set[str](one) for one in value.values())
    return len(first.intersection(*others)) * 2 >= max(map(len, (first, *others)))


def scalars(tree: Any) -> Iterator[Member]:
    """What paginators and verdicts may need of an envelope: no documents, no arrays."""
    for names, value in members_of(tree):
        if not is_array(value) and not (is_object(value) and _is_map(value)):
            yield Member(written(names), names[-1], value)


def link_arrays(tree: Any) -> Iterator[tuple[str, tuple[Mapping[str, Any], ...]]]:
    """Arrays of objects that all have a `rel`."""
    for names, value in members_of(tree):
        if is_array(value) and value and all(is_object(one) and "rel" in one for one in value):
            yield written(names), tuple(value)


def places(tree: Any, url: str) -> list[Place]:
    """Where the documents may be, the likeliest first."""
    if is_array(tree):
        return [Place("$", tree, 10.0, "the body is an array")]
    found = [_place(names, value, tree, url) for names, value in members_of(tree) if is_array(value)]
    maps = [_map(names, value) for names, value in members_of(tree) if _is_map(value)]
    return sorted(found + maps, key=lambda place: -place.score)


def _place(names: tuple[str, ...], documents: list[Any], tree: dict[str, Any], url: str) -> Place:
    score, why = _shape(documents)
    name, above = plain(names[-1]), [plain(part) for part in names[:-1]]
    if name in ASIDE and name != last_segment(url):
        score -= 6
    for points, is_so, words in (
        (3.0, name in DOCUMENTS or "embedded" in above, f"called {names[-1]}"),
        (3.0, name == last_segment(url), f"called {names[-1]}, as the URL's last part is"),
        (2.0, _is_of_asked_size(len(documents), url), "as many as the URL asks for"),
        (3.0, tree.get("type") == "FeatureCollection" and name == "features", "a GeoJSON collection"),
        (2.0, [*above, name] == ["hits", "hits"], "as Elasticsearch has them"),
        (-0.5 * len(above), bool(above), ""),
    ):
        if is_so:
            score += points
            why += f", {words}" if words else ""
    if any(part in ASIDE - {"metadata", "meta"} for part in above):
        score -= 4
    return Place(written(names), documents, score, why)


def _shape(documents: list[Any]) -> tuple[float, str]:
    count = len(documents)
    if not documents:
        return 0.0, "an empty array"
    if all(is_object(one) for one in documents):
        if all("rel" in one and "href" in one for one in documents):
            return -6.0, f"an array of {count} links"
        has_id = all(any(plain(name).endswith("id") for name in one) for one in documents)
        return 5.0 if has_id else 4.0, f"an array of {count} object{'s' * (count != 1)}"
    if all(is_array(one) for one in documents):
        return 2.0, f"an array of {count} arrays"
    return 1.0, f"an array of {count} scalars"


def _map(names: tuple[str, ...], value: dict[str, Any]) -> Place:
    score = 4.0 if plain(names[-1]) in {"pages", "results", "items", "data", "entities"} else 1.5
    return Place(written_query(names) + "[*]", list(value.values()), score, f"{len(value)} objects by their ids")


def written_query(names: Sequence[str]) -> str:
    """The same chain as a JSONPath of RFC 9535."""
    return "$" + "".join(f".{name}" if name.isidentifier() else f"[{json.dumps(name)}]" for name in names)


def _is_of_asked_size(count: int, url: str) -> bool:
    return any(plain(name) in SIZES and value == str(count) for name, value in params_of(url))
