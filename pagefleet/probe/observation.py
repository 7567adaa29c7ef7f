"""What can be seen in one answer: values, without any opinion."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from pagefleet.formats import Format
from pagefleet.page import Response
from pagefleet.probe.words import plain


@dataclass(frozen=True, slots=True)
class Member:
    """A scalar (or a small object) beside the documents, and its place as crawl files write it."""

    path: str
    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class Place:
    """Where documents may be. `score` weighs names and shapes; `why` says them."""

    path: str
    documents: list[Any]
    score: float
    why: str


@dataclass(frozen=True, slots=True)
class Observation:
    """One answer, taken apart: `places` and `members` in the language of its format."""

    response: Response
    format: Format
    """What the crawl must declare; `auto` where the content type says it."""
    places: tuple[Place, ...]
    """The likeliest first."""
    members: tuple[Member, ...] = ()
    rels: Mapping[str, str] = field(default_factory=dict[str, str])
    """The Link header's."""
    link_objects: tuple[tuple[str, tuple[Mapping[str, Any], ...]], ...] = ()
    """Arrays of objects with a `rel`, and their paths."""
    namespaces: Mapping[str, str] = field(default_factory=dict[str, str])

    def urls(self) -> Iterator[str]:
        """All that looks like a URL beside the documents."""
        yield from self.rels.values()
        for _, links in self.link_objects:
            yield from (str(link["href"]) for link in links if "href" in link)
        yield from (member.value for member in self.members if looks_like_url(member.value))

    def params(self) -> dict[str, list[str]]:
        """The parameters of the request and of all these URLs, with their values."""
        found: dict[str, list[str]] = {}
        for url in (self.response.url, *self.urls()):
            for name, value in params_of(url):
                found.setdefault(name, []).append(value)
        return found

    def asked(self) -> dict[str, str]:
        """The parameters of the request itself."""
        return dict(params_of(self.response.url))


def params_of(url: str) -> list[tuple[str, str]]:
    """The parameters of a URL, whole or relative; none if it is none."""
    try:
        return httpx.URL(url).params.multi_items()
    except (httpx.InvalidURL, ValueError):
        return []


def looks_like_url(value: object) -> bool:
    """A whole URL, a path, or a query."""
    if not isinstance(value, str) or not value or any(char.isspace() for char in value):
        return False
    return value.startswith(("http://", "https://", "/", "?")) or ("?" in value and "=" in value)


def whole_number(value: object) -> int | None:
    """A whole number, also in letters."""
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) < 18:  # noqa: PLR2004 — digits that count nothing
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def same_url(one: str, other: str) -> bool:
    """Do two URLs ask for the same, in whatever order?"""

    def parts(url: str) -> tuple[str, ...]:
        parsed = httpx.URL(url)
        return (parsed.scheme, parsed.netloc.decode(), parsed.path, *sorted(map(str, parsed.params.multi_items())))

    return parts(one) == parts(other)


def last_segment(url: str) -> str:
    """The last part of a URL's path that is a word: what its documents are called."""
    parts = [plain(part.partition(".")[0]) for part in httpx.URL(url).path.split("/")]
    return next((part for part in reversed(parts) if part and not part.isdigit()), "")
