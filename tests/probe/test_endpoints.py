"""Each endpoint is described so that a crawl brings exactly its documents, or the probe says that it does not know."""

from typing import Any

import pytest

from pagefleet.crawlfile import parse
from pagefleet.decode import is_object
from pagefleet.probe.asking import MOST
from pagefleet.probe.report import crawl_file
from tests.probe import counted, doubtful, formats, linked, named, numbered, peculiar, placed
from tests.probe.outcome import brought, probed
from tests.probe.server import ENDPOINTS, Server

FAMILIES = (numbered, counted, doubtful, placed, linked, named, peculiar, formats)
KNOWN = [name for name, endpoint in ENDPOINTS.items() if endpoint.rows is not None]
UNKNOWN = [name for name in ENDPOINTS if name not in KNOWN]


@pytest.mark.parametrize("name", KNOWN)
def test_what_can_be_known(server: Server, name: str) -> None:
    endpoint = ENDPOINTS[name]
    found = probed(server.of(endpoint))
    assert found.is_verified, found
    assert len(server.asked()) == found.requests <= MOST
    assert not endpoint.kind or found.said["paginate"]["kind"] == endpoint.kind, found
    outcome = brought(found.crawl())
    assert outcome.stop == ""
    assert [_plain(document) for document in outcome.documents] == list(endpoint.rows or ())


def _plain(document: Any) -> Any:
    """HTML by its text alone."""
    return document["#text"] if is_object(document) and "@class" in document else document


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_nobody_can_know(server: Server, name: str) -> None:
    found = probed(server.of(ENDPOINTS[name]))
    assert not found.is_verified, found
    assert found.why_not
    assert len(server.asked()) == found.requests <= MOST


@pytest.mark.parametrize(
    "name",
    [
        "numbered/zero_based",
        "placed/odd_names",
        "linked/hal",
        "peculiar/constant_with_total",
        "formats/oai",
        "formats/s3",
    ],
)
def test_the_same_url_has_the_same_crawl(server: Server, name: str) -> None:
    """A crawl goes on by the description that it began with."""
    first, second = (probed(server.of(ENDPOINTS[name])) for _ in range(2))
    assert first == second
    assert crawl_file(first) == crawl_file(second)
    assert parse(first.said).id == parse(second.said).id


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("peculiar/constant", {"replay": "advancing", "fallback": "restart", "empty": "end"}),
        ("peculiar/single_use", {"replay": "single-use", "fallback": "restart"}),
        ("named/slack", {"repeated": "end"}),
        ("named/notion", {"more": "has_more"}),
        ("numbered/wordpress", {"pages": "header:X-Wp-Totalpages"}),
        ("numbered/one_based_strictly", {"past_end": ["404"]}),
        ("numbered/capped_and_pages_by_what_is_asked", {"size_param": "per_page", "size": 10}),
        ("counted/scim", {"start": 1}),
    ],
)
def test_what_a_paginator_must_know_besides(server: Server, name: str, said: dict[str, object]) -> None:
    """What the first pages bring without it, too, and the others would not."""
    found = probed(server.of(ENDPOINTS[name])).said["paginate"]
    assert {field: found.get(field) for field in said} == said
