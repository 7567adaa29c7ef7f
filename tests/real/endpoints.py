"""The endpoints of the servers: a crawl file each, below `crawls/`, with words to be filled in.

`ORIGIN` is the server's host and port, `COLLECTION` one of `records.SIZES`.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from tests.real.process import Site
from tests.real.records import SIZES
from tests.real.sites.datasette import datasette
from tests.real.sites.django import django
from tests.real.sites.fastapi import fastapi
from tests.real.sites.kinto import kinto
from tests.real.sites.mediawiki import mediawiki
from tests.real.sites.moto import moto
from tests.real.sites.oai import oai
from tests.real.sites.registry import registry
from tests.real.sites.scim import scim

SITES: Mapping[str, Callable[[Path], AbstractContextManager[Site]]] = {
    "datasette": datasette,
    "django": django,
    "fastapi": fastapi,
    "kinto": kinto,
    "mediawiki": mediawiki,
    "moto": moto,
    "oai": oai,
    "registry": registry,
    "scim": scim,
}
CRAWLS = Path(__file__).with_name("crawls")
NAMES = sorted(file.stem for file in CRAWLS.glob("*.toml"))
"""Of the crawl files; the first word is the server's."""
WHOLE = ("kinto-each", "registry")
"""These have all that the server has, not one of its collections."""


def site_of(crawl: str) -> str:
    """The name of a crawl file's server."""
    return crawl.partition("-")[0]


def collections_of(crawl: str) -> list[str]:
    """What may be put in place of `COLLECTION`."""
    return ["many"] if crawl in WHOLE else list(SIZES)


def filled_in(crawl: str, site: Site, collection: str) -> str:
    """A crawl file's text for a server that runs."""
    text = (CRAWLS / f"{crawl}.toml").read_text(encoding="utf-8")
    return text.replace("ORIGIN", site.origin).replace("COLLECTION", collection)
