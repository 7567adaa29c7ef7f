"""Several answers that make one page: the same documents, each time with other members (MediaWiki)."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec

from pagefleet.decode import is_array, is_object, member, parse_path
from pagefleet.errors import Stop


def merged(parts: Sequence[Sequence[bytes]], key: str | None) -> list[bytes]:
    """The documents of all parts in the order of their first appearance; those with one key become one.

    Of what two parts say of a document objects are merged, arrays are joined, and else the later one counts. A page of
    one part keeps its bytes.
    """
    if len(parts) == 1:
        return list(parts[0])
    if key is None:
        raise Stop("a page of several answers needs the crawl's key, to tell which documents are the same; add it")
    whole: dict[str, Any] = {}
    for number, part in enumerate(parts):
        for index, document in enumerate(part):
            name = member(document, parse_path(key)) or f"{number}-{index} has no key"
            found = json.loads(document)
            whole[name] = _merged(whole[name], found) if name in whole else found
    return [msgspec.json.encode(document) for document in whole.values()]


def _merged(one: Any, other: Any) -> Any:
    if is_object(one) and is_object(other):
        return {**one, **{name: _merged(one[name], value) if name in one else value for name, value in other.items()}}
    if is_array(one) and is_array(other):
        return [*one, *(value for value in other if value not in one)]
    return other
