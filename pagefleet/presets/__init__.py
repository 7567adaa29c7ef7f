"""Presets: what is known of an API, as a crawl file's fields, with what to mind in `[about]`.

A preset is a TOML file here. `preset = "crossref"` in a crawl file puts its fields underneath the file's own.
"""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal, TypeGuard

Verified = Literal["documentation", "issue thread", "unverified"]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What to know before crawling with a preset."""

    name: str
    title: str
    style: str
    """The kind of its paginator."""
    docs: str
    """Where the API's own documentation is."""
    needs: tuple[str, ...]
    """The fields that a crawl file must add, such as `url` or `params.q`."""
    example: str
    """These fields, as lines of TOML to be edited."""
    limits: str
    courtesy: str
    pitfalls: tuple[str, ...]
    verified: Verified
    """Where the facts were found; `unverified` ones are common knowledge."""


def names() -> list[str]:
    """All presets, in order."""
    return list(_names())


def about(name: str) -> About:
    """What is known of a preset; raises `ValueError` when there is none of this name."""
    fields = _read(name)
    said = dict[str, Any](fields["about"])
    needs, pitfalls = tuple(said.pop("needs")), tuple(said.pop("pitfalls"))
    return About(name=name, style=fields["paginate"]["kind"], needs=needs, pitfalls=pitfalls, **said)


def applied(said: Mapping[str, Any]) -> dict[str, Any]:
    """A crawl file's fields on top of its preset's, without `preset`; raises `ValueError` when there is none.

    Tables are merged member by member, all else is replaced; a `paginate` of another kind replaces the preset's.
    """
    own = {field: value for field, value in said.items() if field != "preset"}
    if "preset" not in said:
        return own
    underneath = {field: value for field, value in _read(said["preset"]).items() if field != "about"}
    return _merged(underneath, own)


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**under, **over}
    for field in under.keys() & over.keys():
        below, above = under[field], over[field]
        if _is_table(below) and _is_table(above) and not (field in PAGINATORS and _is_other(below, above)):
            merged[field] = _merged(below, above)
    return merged


PAGINATORS = frozenset({"paginate", "fallback"})


def _is_other(under: Mapping[str, Any], over: Mapping[str, Any]) -> bool:
    """The members of one paginator mean nothing to another."""
    return "kind" in over and over["kind"] != under.get("kind")


def _is_table(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


@cache
def _names() -> tuple[str, ...]:
    files = (file.name for file in resources.files(__name__).iterdir())
    return tuple(sorted(file.removesuffix(".toml") for file in files if file.endswith(".toml")))


def _read(name: object) -> dict[str, Any]:
    if name not in _names():
        near = difflib.get_close_matches(str(name), _names(), 1, 0.5)
        remedy = f"did you mean {near[0]}?" if near else "`pagefleet presets` lists them"
        raise ValueError(f"there is no preset {name!r:.80}; {remedy}")
    return tomllib.loads((resources.files(__name__) / f"{name}.toml").read_text(encoding="utf-8"))
