"""Paths within JSON: chains of member names, that part of RFC 9535 which names one place."""

import re
from typing import Annotated

from pydantic import AfterValidator

SEGMENT = re.compile(
    r"""\.?(?:([^.\[\]'"\s\\\0-\x1f\ud800-\udfff]+)"""
    r"""|\[(?:'([^'"\\\0-\x1f\ud800-\udfff]*)'|"([^"\\\0-\x1f\ud800-\udfff]*)")\])"""
)
"""One name. Those that JSON can only write with an escape are left to JSONPath, which has escapes, too."""
Names = tuple[str, ...]


class Through(Names):
    """A chain of names for which an array of one element is that element: the mapping of XML puts all children into
    arrays. One of several stays an array, and nothing is behind it: which of them is meant, nobody has said."""

    __slots__ = ()


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


def _named(text: str) -> str:
    if not parse_path(text):
        raise ValueError(f"{text!r} is the whole body: name a member of it")
    return text


MemberPath = Annotated[str, AfterValidator(_named)]
"""A path to a member, so not `$`."""
