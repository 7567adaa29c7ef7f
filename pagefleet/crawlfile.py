"""Crawl files, and crawls from plain data: what is wrong with them is told by field, with the remedy."""

import difflib
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from pagefleet.bounds import DEFAULT
from pagefleet.crawl import Crawl, Each
from pagefleet.decode import is_object
from pagefleet.errors import CrawlError, Stop
from pagefleet.limits import Limits
from pagefleet.paginators import Paginator, Then
from pagefleet.presets import applied
from pagefleet.slices import ByPages, ByRange, ByValues


def load(file: Path | str) -> Crawl:
    """Read a crawl file, TOML or JSON by its ending; raises `CrawlError` with the field, the value, the remedy."""
    path = Path(file)
    try:
        text = path.read_text(encoding="utf-8")
        said = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise CrawlError(
            f"reading the crawl file {path}: {error.strerror}; give the path of a TOML or JSON file"
        ) from error
    except UnicodeDecodeError as error:
        raise CrawlError(
            f"reading the crawl file {path}: it is not text (byte {error.start} is {error.object[error.start]:#04x}); "
            f"give the path of a TOML or JSON file"
        ) from error
    except (ValueError, RecursionError) as error:  # a number of too many digits is no JSONDecodeError
        kind = "JSON" if path.suffix == ".json" else "TOML"
        raise CrawlError(f"reading the crawl file {path} as {kind}: {error}; correct it") from error
    return parse(said, f"the crawl file {path}")


def renamed(crawl: Crawl, name: str) -> Crawl:
    """The same crawl under another name; raises `CrawlError`."""
    return parse({**crawl.model_dump(by_alias=True, exclude_defaults=True), "name": name}, f"the name {name!r}")


def parse(said: Any, what: str = "the crawl") -> Crawl:
    """A crawl from plain data; raises `CrawlError` that names every field at fault."""
    _check_plain(said, what)
    if is_object(said) and "preset" in said:
        try:
            said = applied(said)
        except ValueError as error:
            raise CrawlError(f"reading {what}:\n  preset: {error}") from error
    try:
        return Crawl.model_validate(said)
    except ValidationError as error:
        faults: dict[str, list[str]] = {}
        for fault in error.errors():
            found, remedy = _fault(fault, said)
            faults.setdefault(found, []).append(remedy)
        told = {found: " or ".join(remedies).replace("or it must be", "or") for found, remedies in faults.items()}
        lines = "\n".join(f"  {found}: {remedy}" for found, remedy in told.items())
        raise CrawlError(f"reading {what}:\n{lines}") from error


def _check_plain(said: Any, what: str) -> None:
    """JSON can hold half a surrogate pair, which cannot be sent, and dotted keys of TOML can nest without end."""
    try:
        DEFAULT.check_depth(json.dumps(said, ensure_ascii=False, default=str).encode())
    except UnicodeEncodeError as error:
        around = error.object[max(0, error.start - 20) : error.end]
        found = f"half a character, at the end of {around!a}"
        raise CrawlError(f"reading {what}:\n  the crawl holds {found}; write a whole one") from error
    except (RecursionError, Stop) as error:
        remedy = f"at most {DEFAULT.depth} tables and arrays may be within each other"
        raise CrawlError(f"reading {what}:\n  the crawl is nested too deep; {remedy}") from error


def _fault(fault: Any, said: Any) -> tuple[str, str]:
    """What is wrong, and what to do: one field may have several remedies."""
    place = _place(fault["loc"], said)
    field = ".".join(place) or "the crawl"
    found = f"{field} is {PASSWORD.sub('//…@', repr(fault['input'])):.80}"
    match fault["type"]:
        case "missing":
            field = ".".join([*place, fault["loc"][-1]])
            return f"{field} is missing", REMEDY.get(field, "add it")
        case "extra_forbidden":
            return found, f"there is no such field; {_nearest(place, said)}"
        case "union_tag_not_found" | "union_tag_invalid" | "model_attributes_type" if place[-1:] == ["paginate"]:
            return found, f"write a table whose kind is one of {', '.join(sorted(KINDS))}"
        case "union_tag_not_found" | "union_tag_invalid" | "model_attributes_type" if place[-1:] == ["slices"]:
            return found, f"write a table whose by is one of {', '.join(sorted(SLICES))}"
        case "value_error":
            return field if field == "the crawl" else found, str(fault["ctx"]["error"])
        case _:
            return found, fault["msg"].replace("Input should be", "it must be")


def _place(location: tuple[int | str, ...], said: Any) -> list[str]:
    """The part of a fault's location that is a place in the file; pydantic puts the kinds that it tried between."""
    place: list[str] = []
    part: Any
    for before, part in zip(("", *map(str, location)), location, strict=False):
        if before in TAGS and part == (said.get(TAGS[before]) if is_object(said) else None):
            continue  # the kind, which may be called like a field
        try:
            said = said[part]
        except (KeyError, IndexError, TypeError):
            continue
        place.append(str(part) if str(part).isprintable() else repr(part))
    return place


RULES: Mapping[str, type[BaseModel]] = {
    rule.model_fields["kind"].default: rule for rule in get_args(get_args(Paginator)[0])
}
KINDS = frozenset(RULES)
TAGS: Mapping[str, str] = {"paginate": "kind", "fallback": "kind", "slices": "by"}
"""The fields that say of which kind a table is."""
TABLES: Mapping[str, type[BaseModel]] = {"limits": Limits, "each": Each, "then": Then}
SLICES: Mapping[str, type[BaseModel]] = {"pages": ByPages, "range": ByRange, "values": ByValues}
PASSWORD = re.compile(r"//[^/@\s]*@")
REMEDY = {
    "url": 'add url = "https://..."',
    "paginate": "add [paginate] with kind = " + ", ".join(f'"{kind}"' for kind in sorted(KINDS)),
}


def _nearest(place: list[str], said: Any) -> str:
    model: type[BaseModel] = Crawl
    for part in place[:-1]:
        said = said[part]
        if part in ("paginate", "fallback"):
            model = RULES[said["kind"]]
        else:
            model = SLICES[said["by"]] if part == "slices" else TABLES.get(part, model)
    known = [field.serialization_alias or name for name, field in model.model_fields.items()]
    near = difflib.get_close_matches(place[-1], known, 1)
    return f"did you mean {near[0]}?" if near else f"the fields are {', '.join(known)}"
