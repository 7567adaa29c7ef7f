"""Crawls by presets, at models instead of the APIs, and what came of them."""

import json
from collections.abc import Mapping
from typing import Any, TypeGuard

import httpx

from pagefleet.crawl import Crawl
from pagefleet.crawlfile import parse
from pagefleet.page import Page
from pagefleet.pages import pages
from pagefleet.presets import applied
from pagefleet.verdict import Signals, judge
from tests.dialects.cases import CASES, Fields
from tests.dialects.host import Host
from tests.dialects.model import Model

QUICK: Fields = {"rate": "100000/s", "limits": {"attempts": 1}}
RANGE = "/details/biorxiv/2024-01-01/2024-01-31/{cursor}/json"
"""The one path that is a template."""


def crawl(host: Host, preset: str, *more: Fields, path: str = "") -> Crawl:
    """The preset's crawl with the least that a user adds, and with `more` on top."""
    case = CASES[preset]
    fields = applied({"preset": preset, **over(case.adds, QUICK, *more)})
    own = httpx.URL(fields["url"]).path if "url" in fields else getattr(case.model, "path", RANGE)
    return parse({**fields, "url": f"{host.url}{path or own}"}, preset)


def over(under: Fields, *tops: Fields) -> dict[str, Any]:
    """Fields on fields, table by table."""
    merged = dict(under)
    for top in tops:
        for name, value in top.items():
            below = merged.get(name)
            merged[name] = over(below, value) if _is_table(below) and _is_table(value) else value
    return merged


def _is_table(value: object) -> TypeGuard[Fields]:
    return isinstance(value, Mapping)


def drained(host: Host, model: Model, said: Crawl) -> list[Page]:
    """All pages of the model."""
    host.model = model
    return list(pages(said))


def found(got: list[Page]) -> list[Any]:
    """The documents of the pages."""
    return [json.loads(document) for page in got for document in page.documents]


def doubts(got: list[Page]) -> list[str]:
    """Why the crawl is not complete, in words for machines."""
    words = " ".join(page.doubt for page in got if page.doubt)
    count = sum(len(page.documents) for page in got)
    return [word for word, _ in judge(Signals(count, got[-1].total, doubts=words)).reasons]
