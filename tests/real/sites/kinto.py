"""Kinto, filled over its own API."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.real.process import Site, client, started
from tests.real.records import SIZES, nested, records

BUCKET = "/v1/buckets/things"


@contextmanager
def kinto(place: Path) -> Generator[Site]:
    """The collections are Kinto's own. It lists newest first."""
    with started([sys.executable, "-m", "tests.real.programs.kinto_app"], place / "kinto.log") as origin:
        with client(origin) as http:
            _must(http.put(BUCKET, json={"permissions": {"write": ["system.Everyone"]}}))
            loaded = {name: _load(http, name) for name in SIZES}

        def expected(crawl: str, collection: str) -> list[Any]:
            if crawl == "kinto-each":
                return [{"shelf": name, **one} for name in sorted(SIZES) for one in reversed(loaded[name])]
            return loaded[collection][:: 1 if crawl == "kinto-keyset" else -1]

        yield Site(origin, expected)


def _load(http: httpx.Client, collection: str) -> list[Any]:
    """What Kinto says that it has stored."""
    _must(http.put(f"{BUCKET}/collections/{collection}"))
    path = f"{BUCKET}/collections/{collection}/records"
    stored: list[Any] = []
    kept = [_kept(one) for one in records(collection)]
    for start in range(0, len(kept), 25):  # as many as a batch may hold
        some = kept[start : start + 25]
        writes = [{"method": "PUT", "path": f"{path}/{one['id']}", "body": {"data": one}} for one in some]
        answers = _must(http.post("/v1/batch", json={"requests": writes})).json()["responses"]
        stored += [answer["body"]["data"] for answer in answers]
    return stored


def _kept(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "id": f"r{record['id']}", "nested": nested(record["id"])}


def _must(response: httpx.Response) -> httpx.Response:
    return response.raise_for_status()
