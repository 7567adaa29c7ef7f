"""Secrets in descriptions: which values name one, which should, and what is left of a body without them.

`env:NAME` and `file:/path` stand for secrets, as the value of a header (there also behind a word), of a parameter, or
of a member of a JSON body. They are looked up when a request is sent, only where the author of the crawl wrote them.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from pagefleet.decode import is_array, is_object
from pagefleet.paths import Names
from pagefleet.redaction import cut, is_said

SECRET = re.compile(r"(?:^|(?<=\s))(?:env|file):\S+$")
CREDENTIAL = re.compile(
    r"authorization|cookie|password|secret$|api[-_]?key|subscription-key|(access|auth|private)[-_]?token|^x-.*token$",
    re.IGNORECASE,
)
"""Names of headers, parameters and members whose values are secrets."""
PLACEHOLDER = re.compile(r"\{([^{}\s\"]+)\}")
"""In a template: what a document says goes there."""
FORM = re.compile(r"[^\s=&{]+=[^\s&]*(&[^\s=&]+=[^\s&]*)*")


def is_secret(value: Any) -> bool:
    """Does it name one?"""
    return SECRET.fullmatch(str(value)) is not None


def check_place(place: str, name: str, text: str, *, is_looked_up: bool) -> None:
    """Raises `ValueError` for a secret in clear text, or for the name of one where none is looked up."""
    if is_looked_up or not (CREDENTIAL.search(name) or is_secret(text)):
        return
    name = cut(name, 40) or "value"  # a document may have given it
    remedy = f"params.{name} = 'env:NAME'"
    if place == "headers":
        remedy = f"headers.{name} = 'env:NAME' (or 'Bearer env:NAME')"
    elif place.endswith("body"):
        remedy = f"{name} = 'env:NAME' in a body that is a table, and there in no list"
    raise ValueError(
        f"the secret {name} in {place} would be stored with the crawl and sent as it is written; "
        f"put it into the workers' environment and write {remedy}"
    )


def texts(body: Any) -> Iterator[tuple[str, str, bool]]:
    """The strings of a body, by the names of their members, and whether they are looked up."""
    if not isinstance(body, str):
        yield from _texts("", body, may_be_looked_up=True)
        return
    try:
        yield from _texts("", json.loads(body), may_be_looked_up=False)
    except (ValueError, RecursionError):
        pairs = parse_qsl(body, keep_blank_values=True) if FORM.fullmatch(body) else []
        yield from ((name, text, False) for name, text in pairs)


def _texts(name: str, value: Any, *, may_be_looked_up: bool) -> Iterator[tuple[str, str, bool]]:
    if is_object(value):
        for below, inner in value.items():
            yield from _texts(below, inner, may_be_looked_up=may_be_looked_up)
    elif is_array(value):
        for inner in value:
            yield from _texts(name, inner, may_be_looked_up=False)
    elif isinstance(value, str) and value:
        yield name, value, may_be_looked_up and _names_one(value)


def _names_one(value: Any) -> bool:
    """A document must not say which."""
    return isinstance(value, str) and is_secret(value) and not PLACEHOLDER.search(value)


def members(body: Any, above: Names = ()) -> Mapping[Names, str]:
    """The members of a JSON body that name secrets."""
    found: dict[Names, str] = {}
    for name, value in body.items() if is_object(body) else ():
        path = (*above, name)
        found |= {path: value} if _names_one(value) else members(value, path)
    return found


def without(body: Any, paths: Collection[Names], above: Names = ()) -> Any:
    """A JSON body without these members."""
    if not is_object(body):
        return body
    return {name: without(value, paths, (*above, name)) for name, value in body.items() if (*above, name) not in paths}


def unechoed(body: Any) -> Any:
    """What a server made of a body, without the values of secrets that it echoes."""
    if is_array(body):
        return [unechoed(value) for value in body if not _is_echo(value)]
    return {n: unechoed(v) for n, v in body.items() if not _is_echo(v)} if is_object(body) else body


def _is_echo(value: Any) -> bool:
    return isinstance(value, str) and is_said(value)
