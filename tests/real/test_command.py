"""`pagefleet crawl FILE` writes exactly what is behind each server to a file, and says that it is all."""

import json
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest

from tests.cli.shell import ONE, Command, Shell
from tests.real.endpoints import SITES, filled_in, site_of
from tests.real.process import Site
from tests.real.sites.moto import SECRETS

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
Sites = Callable[[str], Site]
OURS = ("REDIS_URL", "PAGEFLEET_", "PYTHONDONTWRITEBYTECODE")


@pytest.fixture(name="crawls", scope="module")
def _crawls(sites: Sites, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Shell, Command]]]:
    """All at once, each in a directory of its own: what takes long is to start the server, and four processes more."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    environment = {**inherited, **SECRETS, "PYTHONPYCACHEPREFIX": str(tmp_path_factory.mktemp("compiled"))}
    with ExitStack() as stack:

        def start(name: str) -> tuple[Shell, Command] | None:
            shell = Shell(tmp_path_factory.mktemp(name), tmp_path_factory.mktemp(f"kept-{name}"), environment)
            stack.callback(shell.close)
            with suppress(pytest.skip.Exception):  # its test says so
                text = filled_in(name, sites(site_of(name)), "many")
                (shell.place / "crawl.toml").write_text(text, encoding="utf-8")
                return shell, shell.start("crawl", "crawl.toml", "-o", "out.jsonl", *ONE)
            return None

        with ThreadPoolExecutor() as pool:
            found = zip(CRAWLS, pool.map(start, CRAWLS), strict=True)
            started = {name: crawl for name, crawl in found if crawl}
        yield started


@pytest.mark.parametrize("name", CRAWLS)
def test_a_crawl_file_by_the_command(sites: Sites, crawls: dict[str, tuple[Shell, Command]], name: str) -> None:
    expected = sites(site_of(name)).expected(name, "many")
    shell, crawl = crawls[name]
    assert crawl.ends() == 0, crawl.stderr
    assert [json.loads(line) for line in (shell.place / "out.jsonl").read_bytes().splitlines()] == expected
    assert re.fullmatch(
        rf"pagefleet: \S+ finished: {len(expected)} documents, \d+ pages, [\d.]+ [kM]B; complete", crawl.lines[-1]
    )


def test_each_server_has_its_turn() -> None:
    assert sorted(map(site_of, CRAWLS)) == sorted(SITES)
