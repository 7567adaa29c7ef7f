"""`pagefleet crawl`, of a file or a URL, writes exactly what is behind a server to a file, and says that it is all."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from tests.cli.shell import ONE, Command, Shell
from tests.real.endpoints import SITES, filled_in, site_of
from tests.real.process import Site
from tests.real.typed import GRAPHQL, Typed

CRAWLS = [
    "datasette-next-url",
    "django-graphql",
    "fastapi-pages",
    "kinto",
    "mediawiki-merged",
    "moto-dynamodb",
    "oai-records",
    "registry",
    "scim-index",
]
"""One of each server; those whose cursors or documents pass through Redis in the oddest shape."""
TYPED = [
    Typed("/things/many.json?_shape=objects", "datasette-next-url"),
    Typed("/offset/many", "fastapi-offset"),
    Typed("/oai?verb=ListRecords&metadataPrefix=oai_dc&set=many", "oai-records"),
]
pytestmark = pytest.mark.timeout(300)  # the first of these tests waits for all the servers
Sites = Callable[[str], Site]
Started = tuple[Shell, Command]


@pytest.fixture(name="crawls", scope="module")
def _crawls(sites: Sites, in_a_shell: Callable[[], Shell]) -> dict[str, Started]:
    """All at once: what takes long is to start the server, and four processes more."""

    def start(name: str) -> Started | None:
        shell = in_a_shell()
        with suppress(pytest.skip.Exception):  # its test says so
            text = filled_in(name, sites(site_of(name)), "many")
            (shell.place / "crawl.toml").write_text(text, encoding="utf-8")
            return shell, shell.start("crawl", "crawl.toml", "-o", "out.jsonl", *ONE)
        return None

    with ThreadPoolExecutor() as pool:
        found = zip(CRAWLS, pool.map(start, CRAWLS), strict=True)
        return {name: crawl for name, crawl in found if crawl}


@pytest.fixture(name="typed_crawls", scope="module")
def _typed_crawls(sites: Sites, crawls: dict[str, Started], in_a_shell: Callable[[], Shell]) -> dict[str, Started]:
    """The same without crawl files, when those have ended."""
    for _, crawl in crawls.values():
        crawl.ends()
    started: dict[str, Started] = {}
    for typed in TYPED:
        shell = in_a_shell()
        url = sites(site_of(typed.crawl)).url + typed.path
        started[typed.path] = shell, shell.start("crawl", url, "-o", "out.jsonl", *ONE)
    return started


@pytest.mark.parametrize("name", CRAWLS)
def test_a_crawl_file_by_the_command(sites: Sites, crawls: dict[str, Started], name: str) -> None:
    expected = sites(site_of(name)).expected(name, "many")
    _check(*crawls[name], expected)


@pytest.mark.parametrize("typed", TYPED, ids=lambda typed: typed.path)
def test_a_url_by_the_command(sites: Sites, typed_crawls: dict[str, Started], typed: Typed) -> None:
    shell, crawl = typed_crawls[typed.path]
    _check(shell, crawl, sites(site_of(typed.crawl)).expected(typed.crawl, typed.collection))
    assert crawl.lines[0].startswith("pagefleet: probed http://127.0.0.1:")


def test_a_url_of_which_nothing_is_certain_is_not_crawled(sites: Sites, in_a_shell: Callable[[], Shell]) -> None:
    shell = in_a_shell()
    crawl = shell.run("crawl", sites("django").url + GRAPHQL, "-o", "out.jsonl", *ONE)
    assert crawl.ends() == 4
    assert not (shell.place / "out.jsonl").exists() or not (shell.place / "out.jsonl").read_bytes()


def _check(shell: Shell, crawl: Command, expected: list[Any]) -> None:
    assert crawl.ends() == 0, crawl.stderr
    assert [json.loads(line) for line in (shell.place / "out.jsonl").read_bytes().splitlines()] == expected
    assert re.fullmatch(
        rf"pagefleet: \S+ finished: {len(expected)} documents, \d+ pages, [\d.]+ [kM]B; complete", crawl.lines[-1]
    )


def test_each_server_has_its_turn() -> None:
    assert sorted(map(site_of, CRAWLS)) == sorted(SITES)
