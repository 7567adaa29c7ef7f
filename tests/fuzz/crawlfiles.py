"""Crawl files: what they say is a crawl that comes back from Redis as it was, or an error that says what is wrong."""

import copy
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pagefleet.crawl import Crawl, Each
from pagefleet.crawlfile import RULES, load
from pagefleet.decode import is_object
from pagefleet.errors import CrawlError, PagefleetError
from pagefleet.limits import Limits
from pagefleet.page import Checkpoint
from pagefleet.paginators import Then
from pagefleet.slices import MOST_CHILDREN, ByPages, ByRange, ByValues
from pagefleet.walk import walk
from tests.fuzz.draw import Draw
from tests.fuzz.server import CHILDREN, LEAST, ODD, PAGINATORS

FOLDER = Path(".fuzz")
SLICES: list[dict[str, Any]] = [
    {"by": "values", "param": "a", "values": [1, "b"]},
    {"by": "pages", "pages": 2},
    {"by": "range", "from": 0, "to": 900, "params": {"since": "{from}", "until": "{to}"}, "most": 5},
]
SAID = [
    *({**LEAST, "paginate": rule} for rule in PAGINATORS),
    *({**LEAST, **odd} for odd in ODD),
    *({**LEAST, "paginate": {"kind": "page"}, "each": each} for each in CHILDREN),
    *({**LEAST, "paginate": {"kind": "page"}, "slices": slices} for slices in SLICES),
]
MODELS: list[type[BaseModel]] = [Crawl, Each, Limits, Then, *RULES.values(), ByValues, ByPages, ByRange]
FIELDS = sorted(
    {field.alias or name for model in MODELS for name, field in model.model_fields.items()}
    | {"preset", "kind", "nonsense"}
)
TEXT = [
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"=",
        b'"',
        b"'",
        b"\n",
        b".",
        b"\\u0000",
        b"\\ud800",
        b"\xff",
        b"1979-05-27",
        b"nan",
    ),
    *(
        b'url = "https://a/"\n',
        b'paginate = { kind = "none" }\n',
        b'{"url": "https://a/", "paginate": {"kind": "none"}',
    ),
    *(
        b"[paginate]\n",
        b'kind = "cursor"\n',
        b"[each]\n",
        b"[limits]\n",
        b"seconds = ",
        b"preset = ",
        b'"crossref"',
        b"1e400",
    ),
    *(b"[" * 2000, b'{"a":' * 2000, b"a." * 50, b"9" * 5000, b"true", b"null", b'"name":', b"body = ", b"params = "),
]
WORDS = [
    "$",
    ".",
    "a.b",
    "$..a",
    "//a",
    "header:a",
    "last:id",
    "body:a.b",
    "path:p",
    "env:HOME",
    "10/s",
    "64MiB",
    "crossref",
]


def crawlfile(draw: Draw) -> None:
    """Any text; or a good crawl file with some fields that are others."""
    ending = draw.choice([".toml", ".json"])
    made = json.dumps(_altered(draw)).encode() if ending == ".json" and draw.flag() else draw.body(TEXT)
    file = FOLDER / f"crawl{ending}"
    file.write_bytes(made)
    try:
        crawl = load(file)
    except CrawlError as error:
        str(error).encode()  # it is printed
        return
    said = crawl.model_dump(mode="json", by_alias=True, exclude_defaults=True) | {"kind": crawl.kind}
    again = Crawl.model_validate(json.loads(json.dumps(said)))  # as the fleet stores it
    assert again == crawl, "it comes back as another"
    assert (again.id, again.fingerprint) == (crawl.id, crawl.fingerprint)
    for part in _parts(crawl):
        crawl.sliced(part).first()
    try:
        next(walk(crawl, Checkpoint()))
    except PagefleetError as error:
        str(error).encode()


def _parts(crawl: Crawl) -> list[Any]:
    """Some of its slices."""
    if crawl.slices is None:
        return []
    whole = crawl.slices.whole()
    parts = crawl.slices.known(whole) or crawl.slices.parts(whole, 1000, 10, crawl.cap)
    assert len(parts) <= MOST_CHILDREN
    assert all(crawl.slices.title(part) for part in parts)
    return [whole, *parts[:3]]


def _altered(draw: Draw) -> Any:
    said: Any = copy.deepcopy(draw.choice(SAID))
    for _ in range(draw.number(1, 4)):
        table = draw.choice(
            [table for table in (said, *map(said.get, ("paginate", "each", "slices"))) if is_object(table)]
        )
        table[draw.choice(FIELDS)] = draw.choice(WORDS) if draw.flag() else draw.value()
    return said
