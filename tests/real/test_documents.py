"""A crawl file finds exactly the documents that the server has, each as the server holds it, in the server's order."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from pagefleet import Crawl, documents, load, pages
from pagefleet.crawlfile import parse
from tests.real.endpoints import CRAWLS, NAMES, collections_of, filled_in, site_of
from tests.real.process import Site
from tests.real.records import PAGE, SIZES

Sites = Callable[[str], Site]
EACH = [(crawl, collection) for crawl in NAMES for collection in collections_of(crawl)]
CAPS = {
    "django-limit": ("limit = 20", "limit = 1000", 50),
    "django-page": ("size = 20", "size = 1000", 50),
    "scim-index": ("limit = 20", "limit = 1000", 2 * PAGE),
}
"""What is asked for instead, and what these servers then give."""


@pytest.mark.parametrize(("name", "collection"), EACH)
async def test_what_is_behind_the_server(sites: Sites, tmp_path: Path, name: str, collection: str) -> None:
    site = sites(site_of(name))
    file = tmp_path / f"{name}.toml"
    file.write_text(filled_in(name, site, collection), encoding="utf-8")
    crawl = load(file)
    found = [one async for one in documents(crawl)]
    expected = site.expected(name, collection)
    assert [json.loads(one) for one in found] == expected
    assert [one.key for one in found] == [str(one[crawl.key]) if crawl.key else None for one in expected]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "kinto-each"])
def test_a_page_after_the_other(sites: Sites, name: str) -> None:
    """By plain `for`; what was asked for is what a page holds, and nothing speaks against the whole."""
    found = list(pages(crawl_of(name, sites(site_of(name)))))
    count = SIZES["many"]
    sizes = [len(page.documents) for page in found if page.documents]
    assert sizes == [PAGE] * (count // PAGE) + [count % PAGE]
    assert len(found) <= len(sizes) + 1
    assert [page.doubt for page in found] == [""] * len(found)


@pytest.mark.parametrize("name", CAPS)
def test_a_server_that_gives_less_than_was_asked_for(sites: Sites, name: str) -> None:
    site = sites(site_of(name))
    moderate, greedy, cap = CAPS[name]
    text = filled_in(name, site, "many")
    assert moderate in text
    found = list(pages(parse(tomllib.loads(text.replace(moderate, greedy)))))
    assert max(len(page.documents) for page in found) == cap
    assert [json.loads(one) for page in found for one in page.documents] == site.expected(name, "many")


@pytest.mark.parametrize("size", [SIZES["many"] - 1, SIZES["many"], SIZES["many"] + 1])
def test_the_last_page_of_a_registry(sites: Sites, size: int) -> None:
    """Which knows by then whether there is another."""
    site = sites("registry")
    text = filled_in("registry", site, "many").replace("n = 20", f"n = {size}")
    found = [json.loads(one) for one in documents(parse(tomllib.loads(text)))]
    assert found == site.expected("registry", "many")


@pytest.mark.parametrize("name", NAMES)
def test_a_crawl_file_is_short(name: str) -> None:
    assert len((CRAWLS / f"{name}.toml").read_text(encoding="utf-8").splitlines()) <= 10


def crawl_of(name: str, site: Site) -> Crawl:
    return parse(tomllib.loads(filled_in(name, site, "many")))
