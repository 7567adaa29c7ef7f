"""URLs: whose they are, where a link leads, how they are shown."""

from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import urljoin

import httpx

from pagefleet.errors import Stop
from pagefleet.redaction import cut

LONGEST = 120
"""Bytes of a URL that are shown."""


@lru_cache(maxsize=1024)
def parsed(url: str) -> httpx.URL:
    """A URL taken apart, once for all who look at it: it takes 10 us, and a page's URL is looked at six times. Raises
    `httpx.InvalidURL`."""
    return httpx.URL(url)


@lru_cache(maxsize=1024)
def origin(url: str) -> str:
    """Scheme, host and port: what credentials and budgets belong to."""
    found = parsed(url)
    port = found.port or {"http": 80, "https": 443}.get(found.scheme, 0)
    host = found.raw_host.decode()  # the other one raises for what is no name in any script
    host = f"[{host}]" if ":" in host else host
    return f"{found.scheme}://{host}:{port}"


def is_whole(url: str) -> bool:
    """Is it a URL with scheme and host, that can be asked?"""
    try:
        found = parsed(url)
    except (httpx.InvalidURL, ValueError):
        return False
    return found.scheme in ("http", "https") and found.raw_host != b""


def safe(url: str) -> str:
    """A URL for messages: without its query, where secrets live, and not longer than a link has any reason to be."""
    place, question, _ = url.partition("?")
    shown = cut(place, LONGEST)
    return f"{shown}?…" if question else shown


def joined(base: str, link: str) -> str:
    """Where a link on a page leads to (RFC 3986); raises `Stop` when that is nowhere."""
    is_plain = link.isascii() and link.isprintable()  # then all ways are one, and httpx' takes 25 us
    try:
        if is_plain and link[:1] == "/" and link[:2] != "//" and "/." not in link:
            return str(parsed(origin(base) + link))
        return str(parsed(urljoin(base, link)) if is_plain else parsed(base).join(link))
    except (httpx.InvalidURL, ValueError) as error:
        raise Stop(f"reading {safe(base)}: it leads on to {safe(link)!r}, which is no URL") from error


def with_query(url: str, params: Sequence[tuple[str, str]]) -> str:
    """A URL with more parameters, in place of those of the same names."""
    return str(httpx.URL(url).copy_merge_params(list(params))) if params else url
