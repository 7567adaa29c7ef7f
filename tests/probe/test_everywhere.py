"""At models of known APIs, and at an API where everything goes wrong: exactly what is there, or the word that it is
not known; never anything else."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pagefleet.crawl import Crawl
from pagefleet.errors import Stop
from pagefleet.probe.asking import MOST
from tests.dialects.cases import CASES, ENVIRONMENT
from tests.dialects.drive import crawl
from tests.dialects.host import Host, hosting
from tests.hostile import ROWS, Hostile, hostile
from tests.probe.outcome import brought, probed

# Models of APIs

UNKNOWN = {
    "biorxiv": "its offset is a part of the path",
    "couchdb-all-docs": "the model refuses skip; startkey_docid goes with a key that is JSON",
    "inaturalist": "id_above is not among the names that are tried, and the model refuses page",
    "openalex": "its key is a parameter, which a URL must not have",
}
"""Presets whose URL is not enough, and why."""


@pytest.fixture(name="host", scope="module")
def _host() -> Iterator[Host]:
    with hosting() as host:
        yield host


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


GETS = [preset for preset, case in sorted(CASES.items()) if case.model.method == "GET"]


def url_of(crawl: Crawl, *, is_whole: bool) -> str:
    """What somebody types: with what pagination needs, as documentation has it, or without."""
    return (crawl.paginate.request(crawl.first(), None) if is_whole else crawl.first()).url


@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "bare"])
@pytest.mark.parametrize("preset", GETS)
def test_models_of_known_apis(host: Host, preset: str, is_whole: bool) -> None:
    kind, said = CASES[preset].model, crawl(host, preset)
    known = False
    for count in (2 * kind.page + 1, kind.page, 3, 0):
        host.model = model = kind(count)
        try:
            found = probed(url_of(said, is_whole=is_whole), said.headers)
        except Stop:  # there is nothing to read, or what is needed is missing
            continue
        assert found.requests <= MOST
        if found.is_verified:
            known = known or count > kind.page
            host.model = kind(count)
            outcome = brought(found.crawl())
            assert outcome.stop == ""
            assert outcome.documents == model.documents()
        else:
            assert found.why_not
    assert known or preset in UNKNOWN or not is_whole


# Everything that goes wrong


@pytest.fixture(name="server", scope="module")
def _server() -> Iterator[Hostile]:
    with hostile() as served:
        yield served


PATHS = """
    p01-last-page-repeats-the-token {} ?then=empty ?url=1 ?total=0
    p02-repeated-token-is-the-end {} ?cursorMark=* ?cursorMark=*&total=0
    p03-constant-token {} ?total=0 ?stuck=1
    p04-cycle {} ?as=url ?empty=1 ?empty=1&as=url
    p05-ignores-where-it-is-asked {} ?total=0
    p06-clamps-to-the-last-page {} ?page=1 ?offset=0 ?total=0&page=1 ?total=0&offset=0
    p07-past-the-end-is-an-error ?status=404 ?status=400&total=0 ?status=204 ?status=416
    p08-empty-page {} ?times=1 ?times=1&offset=0 ?times=9&offset=0 ?last=1 ?last=1&total=0
    p09-short-page {} ?offset=0 ?page=1
    p10-capped-size ?limit=50 ?limit=50&offset=0 ?limit=50&page=1 ?limit=20&page=1&as=skips ?limit=20&as=skips
    p11-depth-cap ?as=400 ?as=400&offset=0 ?as=empty ?as=empty&offset=0 ?as=silent ?as=404&total=0&page=1
    p12-total ?as=missing ?as=text ?as=capped ?as=high ?as=low ?as=first ?as=page ?as=drifting ?as=unknown
    p13-cursor-expires {} ?always=1 ?as=200 ?moved=1
    p14-server-moves-on {} ?total=0 ?lose=2
    p14-single-use {} ?lose=1
    p15-bound-to-its-parameters ?q=a+b%26c&limit=10 /alone?verb=x&metadataPrefix=y
    p16-rows-move ?as=delete ?as=insert ?as=insert&offset=0 ?as=delete&page=1
    p17-unstable-order {} ?offset=0 ?total=0
    p18-base ?base=0 ?base=1 ?base=1&page=1 ?base=1&page=1&below=400 ?base=1&offset=1 ?base=0&offset=0 ?base=0&total=0
    p19-link ?as=query ?as=dots ?as=scheme ?as=upper ?as=https ?as=internal ?as=template ?as=whole&in=header
    p19-link ?as=internal&in=header&total=0 ?as=template&in=object
    p19-redirect ?offset=0 ?page=1
    p21-error-in-200 ?as=html ?as=alone ?as=null ?as=part ?as=part&times=1
    p22-broken-body ?as=half ?as=half&times=1 ?as=chunks&times=1 ?as=nan ?as=surrogate ?as=control ?as=bytes
    p23-patience ?as=429-seconds&seconds=1 ?as=403
    p25-feed {} ?offset=0 ?page=1
    p27-poison-record {}
"""
URLS = [
    f"/{line.split()[0]}{tail.replace('{}', '')}" for line in PATHS.strip().splitlines() for tail in line.split()[1:]
]
FILTERED = [row for number, row in enumerate(ROWS) if number % 5 != 3]
ODD: dict[str, list[Any]] = {
    "/p09-short-page?as=filtered": [json.loads(row)["id"] for row in FILTERED],
    "/p09-short-page?as=filtered&offset=0": [json.loads(row)["id"] for row in FILTERED],
    "/p11-depth-cap?as=silent&total=0": list(range(20)),  # nobody can see the others
    "/p20-several-continuations": list(range(5)),
    "/p28-large?documents=3&bytes=10000": [0, 1, 2],
}
"""Where there is something else than all the rows."""


@pytest.mark.parametrize("path", [*URLS, *ODD])
def test_a_hostile_api(server: Hostile, path: str) -> None:
    server.forget()
    found = probed(server.url + path)
    assert len(server.asked()) == found.requests <= MOST
    if not found.is_verified:
        assert found.why_not
        return
    server.forget()
    outcome = brought(found.crawl())
    assert outcome.stop == ""
    assert [one.get("id", one.get("pageid")) for one in outcome.documents] == ODD.get(path, list(range(len(ROWS))))
