"""From a URL alone to exactly the documents behind it, or to the word that nothing is certain; never to others."""

import json
import tomllib
from collections.abc import Callable

import pytest

from pagefleet import Stop, documents
from pagefleet.crawlfile import parse
from pagefleet.probe import probe
from pagefleet.probe.report import crawl_file
from tests.real.endpoints import site_of
from tests.real.process import Site
from tests.real.typed import HARD, KNOWN, Typed

Sites = Callable[[str], Site]


@pytest.mark.parametrize("typed", KNOWN, ids=lambda typed: typed.path)
async def test_a_url_is_enough(sites: Sites, typed: Typed) -> None:
    site = sites(site_of(typed.crawl))
    probed = await probe(site.url + typed.path)
    assert probed.is_verified, probed.why_not
    assert probed.requests <= MOST
    assert parse(tomllib.loads(crawl_file(probed))) == probed.crawl()
    found = [typed.made(json.loads(one)) async for one in documents(probed.crawl())]
    assert found == site.expected(typed.crawl, typed.collection)


@pytest.mark.parametrize("typed", HARD, ids=lambda typed: typed.path)
async def test_a_url_is_enough_or_it_is_said_that_it_is_not(sites: Sites, typed: Typed) -> None:
    site = sites(site_of(typed.crawl))
    try:
        probed = await probe(site.url + typed.path)
    except Stop:
        return  # nothing can be read there
    assert probed.is_verified or probed.why_not
    if probed.is_verified:
        found = [typed.made(json.loads(one)) async for one in documents(probed.crawl())]
        assert found == site.expected(typed.crawl, typed.collection)


MOST = 12
"""Requests to somebody else's server, before anything is known of it."""
