"""URLs: whose they are, where a link leads, how they are shown."""

import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import urljoin

import httpx
from msgspec import Struct

from pagefleet.errors import Stop
from pagefleet.redaction import cut

LONGEST = 120
"""Bytes of a URL that are shown."""


@lru_cache(maxsize=1024)
def parsed(url: str) -> httpx.URL:
    """A URL taken apart, once for all who look at it: it takes 10 us, and a page's URL is looked at six times. Raises
    `httpx.InvalidURL`."""
    return httpx.URL(url)


class Site(Struct, frozen=True):
    """Where a connection goes to."""

    scheme: str
    host: str
    """As it is looked up: in ASCII, an IPv6 address without its brackets."""
    port: int
    url: str
    """Of its root, without a slash at its end, as httpx writes it."""
    netloc: str
    """Host, and port if it is no usual one."""


PORTS = {"http": 80, "https": 443}
PLAIN = re.compile(
    r"(https?://[a-z0-9.-]+(?::[0-9]+)?)"
    r"(/(?!\.)(?:[A-Za-z0-9_~!$&'()*+,;=:@.-]|%[0-9A-Fa-f]{2}|/(?!\.))*(?:\?(?:[A-Za-z0-9_~!$&'()*+,;=:@/?.-]|%[0-9A-Fa-f]{2})+)?)"
)
"""A URL that httpx leaves as it is, if it does so with its site: to take it apart so takes 1 us in place of 12."""


@lru_cache(maxsize=1024)
def _site(url: str) -> Site:
    found = parsed(url)
    if found.userinfo:
        raise httpx.InvalidURL("")  # httpx would make an Authorization of it, in place of the crawl's
    host = found.raw_host.decode()  # the other one raises for what is no name in any script
    if found.scheme not in PORTS or not host:
        raise httpx.InvalidURL("")
    port = found.port or PORTS[found.scheme]
    root = str(found.copy_with(raw_path=b"/", fragment=None)).removesuffix("/")
    return Site(found.scheme, host, port, root, found.netloc.decode())


def _plain(url: str) -> tuple[Site, str] | None:
    """Site and target of a URL that is written as httpx would write it."""
    found = PLAIN.fullmatch(url)
    site = _site(found[1]) if found else None
    return (site, found[2]) if found and site and site.url == found[1] else None


def split(url: str) -> tuple[Site, bytes]:
    """Where a request for this URL goes to, and what it asks for there.

    Raises `httpx.InvalidURL`, also where there is a user in it, or another scheme than these two.
    """
    if plain := _plain(url):
        return plain[0], plain[1].encode()
    return _site(url), parsed(url).raw_path


@lru_cache(maxsize=1024)
def origin(url: str) -> str:
    """Scheme, host and port: what credentials and budgets belong to."""
    if plain := _plain(url):
        scheme, host, port = plain[0].scheme, plain[0].host, plain[0].port
    else:
        found = parsed(url)
        scheme, host, port = found.scheme, found.raw_host.decode(), found.port or PORTS.get(found.scheme, 0)
    return f"{scheme}://{bracketed(host)}:{port}"


def bracketed(host: str) -> str:
    """A host as it stands in a URL."""
    return f"[{host}]" if ":" in host else host


def is_whole(url: str) -> bool:
    """Is it a URL with scheme and host, that can be asked?"""
    try:
        if _plain(url):
            return True
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
    try:
        is_rooted = link[:1] == "/" and link[:2] != "//"
        whole = plain[0].url + link if is_rooted and (plain := _plain(base)) else link
        if _plain(whole):
            return whole
        is_quick = link.isascii() and link.isprintable()  # then all ways are one, and httpx' takes 25 us
        found = str(parsed(urljoin(base, link)) if is_quick else parsed(base).join(link))
        parsed(found)  # httpx may write a URL that it cannot read
        return found
    except (httpx.InvalidURL, ValueError) as error:
        raise Stop(f"reading {safe(base)}: it leads on to {safe(link)!r}, which is no URL") from error


def with_query(url: str, params: Sequence[tuple[str, str]]) -> str:
    """A URL with more parameters, in place of those of the same names."""
    return str(httpx.URL(url).copy_merge_params(list(params))) if params else url
