"""URLs: whose they are, where a link leads, how they are shown."""

from collections.abc import Sequence

import httpx

from pagefleet.errors import Stop

LONGEST = 200
"""Characters of a URL that are shown."""


def origin(url: str) -> str:
    """Scheme, host and port: what credentials and budgets belong to."""
    parsed = httpx.URL(url)
    port = parsed.port or {"http": 80, "https": 443}.get(parsed.scheme, 0)
    host = parsed.raw_host.decode()  # the other one raises for what is no name in any script
    host = f"[{host}]" if ":" in host else host
    return f"{parsed.scheme}://{host}:{port}"


def safe(url: str) -> str:
    """A URL for messages: without its query, where secrets live, and not longer than a link has any reason to be."""
    place, question, _ = url.partition("?")
    shown = place if len(place) <= LONGEST else f"{place[:LONGEST]}…"
    return f"{shown}?…" if question else shown


def joined(base: str, link: str) -> str:
    """Where a link on a page leads to (RFC 3986); raises `Stop` when that is nowhere."""
    try:
        return str(httpx.URL(base).join(link))
    except (httpx.InvalidURL, ValueError) as error:
        raise Stop(f"reading {safe(base)}: it leads on to {safe(link)!r}, which is no URL") from error


def with_query(url: str, params: Sequence[tuple[str, str]]) -> str:
    """A URL with more parameters, in place of those of the same names."""
    return str(httpx.URL(url).copy_merge_params(list(params))) if params else url
