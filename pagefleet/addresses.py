"""Where this process may connect to: public addresses, and what it was told to allow.

A crawl cannot allow itself anything: who wrote it may be a stranger, and the links and redirects of its server are
strangers in any case. What is checked is the address itself, at the moment of connecting to it, so neither DNS nor the
way in which a host is written matters.
"""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self

import httpx

from pagefleet.errors import CrawlError, Stop
from pagefleet.url import PORTS, Site, bracketed, origin

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
VARIABLE = "PAGEFLEET_ALLOW"

PRIVATE = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15"),
            *("198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
            "168.63.129.16/32",  # a public one, with which Azure's machines reach their own host
            *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
        ),
    )
)
"""What is not for everybody in IANA's registries of special addresses, written down here: the standard library's
`is_global` differs from release to release, and takes multicast, 6to4 and NAT64 for global."""
PUBLIC_6 = IPv6Network("2000::/3")
"""All that is given out of IPv6. Loopback, link-local, private and multicast addresses lie elsewhere, and so do most
that have an IPv4 address inside (mapped, compatible, NAT64); Teredo and 6to4 are listed above."""


def is_public(address: Address) -> bool:
    """May anybody on the internet be meant by it, and is it what it seems, with no other address inside?"""
    if isinstance(address, IPv6Address) and address not in PUBLIC_6:
        return False
    return not any(address.version == network.version and address in network for network in PRIVATE)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A network, or a host by its name, and a port; no port: all of them."""

    place: Network | str
    port: int | None

    def permits(self, host: str, port: int, address: Address) -> bool:
        if self.port not in (None, port):
            return False
        if isinstance(self.place, str):
            return self.place == host
        return address.version == self.place.version and address in self.place


@dataclass(frozen=True, slots=True)
class Allowed:
    """Further places that this process may connect to, beside the public ones."""

    entries: frozenset[_Entry] = frozenset()

    @classmethod
    def parse(cls, text: str) -> Self:
        """`10.0.0.0/8, internal.example:8080, [::1]:80, http://localhost:8000`; raises `ValueError`."""
        return cls(frozenset(_entry(word) for word in re.split(r"[,\s]+", text) if word))

    @classmethod
    def origins(cls, urls: Iterable[str]) -> Self:
        """Those of URLs that somebody typed on this machine; what is no URL allows nothing."""
        entries: set[_Entry] = set()
        for url in urls:
            with suppress(ValueError, httpx.InvalidURL):
                entries.add(_entry(origin(url)))
        return cls(frozenset(entries))

    def permits(self, host: str, port: int, address: Address) -> bool:
        """May a request to `host` go to this address?"""
        return is_public(address) or any(entry.permits(host, port, address) for entry in self.entries)

    def __or__(self, other: "Allowed") -> "Allowed":
        return Allowed(self.entries | other.entries)


def allowed_here() -> Allowed:
    """What PAGEFLEET_ALLOW says; raises `CrawlError`."""
    text = os.environ.get(VARIABLE, "")
    try:
        return Allowed.parse(text)
    except ValueError as error:
        raise CrawlError(f"reading {VARIABLE} = {text!r}: {error}") from error


def _entry(word: str) -> _Entry:
    if "/" in word and "://" not in word:
        try:
            return _Entry(ip_network(word), None)
        except ValueError as error:
            raise ValueError(f"{error}; write a network such as 10.0.0.0/8") from error
    if (address := _address(word)) is not None:
        return _Entry(ip_network(address), None)
    try:
        url = httpx.URL(word if "://" in word else f"none://{word}")
        port = url.port or PORTS.get(url.scheme)
    except (httpx.InvalidURL, ValueError) as error:
        raise ValueError(f"{word!r}: {error}; {REMEDY}") from error
    if not url.raw_host or not 0 < (port or 1) <= LAST_PORT or url.userinfo or url.path not in ("", "/") or url.query:
        raise ValueError(f"{word!r}: {REMEDY}")
    host = url.raw_host.decode()
    literal = _address(host)
    return _Entry(host if literal is None else ip_network(literal), port)


LAST_PORT = 65535
REMEDY = "write a network, a host, or a host and a port, such as 10.0.0.0/8, internal.example or internal.example:8080"


def _address(text: str) -> Address | None:
    try:
        return ip_address(text.strip("[]"))
    except ValueError:
        return None


class Door:
    """One request's way out: asked before each connection, and remembers what it refused."""

    def __init__(self, site: Site, allowed: Allowed) -> None:
        self.host, self.port = site.host, site.port
        self._url = site.url
        self._allowed = allowed
        self._refused: list[str] = []
        self._is_open = False

    def permits(self, address: str) -> bool:
        """May this very address be connected to? What is not written as one is none."""
        parsed = _address(address)
        if parsed is not None and self._allowed.permits(self.host, self.port, parsed):
            self._is_open = True
            return True
        if address not in self._refused:  # a client tries each more than once
            self._refused.append(address)
        return False

    def check(self) -> None:
        """Raises `Stop` when there was nowhere to go to."""
        if self._refused and not self._is_open:
            host = bracketed(self.host)
            place = host if self._refused == [self.host] else f"{host} is at {', '.join(self._refused)}, and that"
            raise Stop(
                f"connecting to {self._url}: {place} is no public address; if crawls may go there from here, "
                f"allow it where they run: {VARIABLE}={host}:{self.port}"
            )
