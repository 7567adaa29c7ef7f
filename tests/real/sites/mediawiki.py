"""Debian's MediaWiki on SQLite, served by PHP itself; its pages are imported as texts."""

import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.real.database import rows
from tests.real.process import NotInstalledError, Site, started
from tests.real.records import SIZES

PROGRAM = "php"
WIKI = Path("/usr/share/mediawiki")
SETTINGS = """
$wgJobRunRate = 0;
$wgDBservers = [["type" => "sqlite", "host" => "", "user" => "", "password" => "", "load" => 1, "flags" => DBO_DEFAULT,
  "dbname" => $wgDBname, "dbDirectory" => $wgSQLiteDataDir, "variables" => ["synchronous" => "OFF"]]];
"""
"""Nothing but answers to what is asked, and no waiting for the disk: half the time that the import takes."""


@contextmanager
def mediawiki(place: Path) -> Generator[Site]:
    """At `/api.php`; a collection is the prefix of its pages' titles."""
    if not WIKI.is_dir() or not shutil.which(PROGRAM):
        raise NotInstalledError("apt-get install --no-install-recommends mediawiki php-cli php-sqlite3")
    environment = {**os.environ, "MW_CONFIG_FILE": str(place / "LocalSettings.php")}
    (place / "texts").mkdir()
    for collection, size in SIZES.items():
        for number in range(1, size + 1):
            (place / "texts" / f"{_title(collection, number)}.txt").write_text(_text(number), encoding="utf-8")
    _install(place, environment)

    def expected(crawl: str, collection: str) -> list[Any]:
        found = _pages(place / "data" / "my_wiki.sqlite", collection)
        return [page | _linked(number) for number, page in enumerate(found, 1)] if crawl.endswith("merged") else found

    command = [PROGRAM, "-S", "127.0.0.1:0", "-t", str(WIKI)]
    with started(command, place / "mediawiki.log", environment) as origin:
        yield Site(origin, expected)


def _install(place: Path, environment: dict[str, str]) -> None:
    into: list[str | Path] = ["--dbtype", "sqlite", "--dbpath", place / "data", "--confpath", place, "--scriptpath", ""]
    _run("install", [*into, "--server", "http://127.0.0.1", "--pass", "no secret of ours", "Things", "Admin"])
    with (place / "LocalSettings.php").open("a") as settings:
        settings.write(SETTINGS)
    _run("importTextFiles", sorted((place / "texts").iterdir()), environment)


def _run(script: str, words: list[str | Path], environment: dict[str, str] | None = None) -> None:
    command = [PROGRAM, WIKI / "maintenance" / f"{script}.php", *words]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert ran.returncode == 0, ran.stdout[-1000:] + ran.stderr


def _title(collection: str, number: int) -> str:
    return f"{collection.title()} {number:04} café 漢字 😀 & + = ?"


def _text(number: int) -> str:
    return " ".join(f"[[{title}]]" for title in [*_links(number), *_categories(number)]) or "without"


def _links(number: int) -> list[str]:
    return [f"Link {place} é" for place in range(number % 6)]


def _categories(number: int) -> list[str]:
    return [f"Category:Kind {place}" for place in range(number % 4)]


def _pages(database: Path, collection: str) -> list[dict[str, Any]]:
    titles = [_title(collection, number) for number in range(1, SIZES[collection] + 1)]
    query = "select page_id, cast(page_title as blob) as title from page"
    ids = {row["title"].decode(): row["page_id"] for row in rows(database, query)}
    return [{"pageid": ids[title.replace(" ", "_")], "ns": 0, "title": title} for title in titles]


def _linked(number: int) -> dict[str, Any]:
    """Members that are left out when they are empty."""
    links = [{"ns": 0, "title": title} for title in _links(number)]
    categories = [{"ns": 14, "title": title} for title in _categories(number)]
    return {name: found for name, found in [("links", links), ("categories", categories)] if found}
