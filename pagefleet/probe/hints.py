"""Parameters that may count: hypotheses, from the request, links, and what the answer echoes. Pure."""

import re
from collections.abc import Iterator

from pagefleet.probe.observation import Observation, whole_number
from pagefleet.probe.params import OFFSETS, PAGE_NUMBERS, SIZES, partners
from pagefleet.probe.words import PAGES, plain

SMALL = 10_000
"""An echoed position is no greater on a first page; a page's size neither."""
ECHOES = {
    **dict.fromkeys(("currentpage", "pagenumber", "number", "pageno", "curpage", "pageindex"), "page"),
    **dict.fromkeys(("xpage", "currentpagenumber", "xpagenumber", "xcurrentpage"), "page"),
    **dict.fromkeys(("xoffset", "xpageoffset"), "offset"),
    "startindex": "startIndex",
}
"""Members that are called otherwise than the parameter that they repeat."""


def counting_params(observation: Observation, count: int) -> list[str]:
    """Names of parameters that this answer of so many documents hints at, the likeliest first."""
    return list(dict.fromkeys(_hints(observation, count)))[:5]


def is_page_number(name: str) -> bool:
    """Does a parameter of this name count pages, rather than documents?"""
    return plain(name) in PAGE_NUMBERS


def _hints(observation: Observation, count: int) -> Iterator[str]:
    asked, params = observation.asked(), observation.params()
    numeric = [name for name, values in params.items() if all(whole_number(value) is not None for value in values)]
    counting = [name for name in numeric if plain(name) in OFFSETS | PAGE_NUMBERS]
    yield from (name for name in counting if name in asked)
    yield from (name for name in counting if name not in asked)
    sizes = [name for name in numeric if plain(name) in SIZES]
    fitting = [name for name in sizes if asked.get(name) == str(count)]
    for name in fitting or sorted(sizes, key=lambda name: name not in asked):
        yield from partners(name)[:3]
    if any(name.startswith("$") for name in asked):
        yield from ("$offset", "$skip")
    yield from _echoed(observation)


def _echoed(observation: Observation) -> Iterator[str]:
    """What the answer repeats of the request, or of its defaults."""
    for member in observation.members:
        name, number = plain(member.name), whole_number(member.value)
        if number is None or number > SMALL or member.name.startswith("@"):
            continue
        own = re.sub("^header:(X-)?", "", member.path).lower() if member.path.startswith("header:") else member.name
        if name in ECHOES and (name != "number" or "totalPages" in {one.name for one in observation.members}):
            yield ECHOES[name]
        if name in OFFSETS | PAGE_NUMBERS - {"number"}:
            yield own
        elif name in SIZES - {"count", "size", "length", "n", "num", "max", "top", "rows"}:
            yield from partners(own)[:2]
    if any(member.name == "exceededTransferLimit" for member in observation.members):
        yield "resultOffset"  # ArcGIS'
    if any(plain(member.name) in PAGES for member in observation.members):
        yield "page"
