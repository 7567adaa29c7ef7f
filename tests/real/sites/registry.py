"""Debian's registry of container images, filled over its own API."""

import hashlib
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.real.process import NotInstalledError, Site, client, started
from tests.real.records import SIZES

PROGRAM = "docker-registry"
SETTINGS = """
version: 0.1
storage: {{filesystem: {{rootdirectory: {place}}}}}
http: {{addr: "127.0.0.1:0"}}
"""


@contextmanager
def registry(place: Path) -> Generator[Site]:
    """It has one catalog, whatever the collection is called."""
    program = shutil.which(PROGRAM)
    if not program:
        raise NotInstalledError(f"apt-get install {PROGRAM}")
    settings = place / "registry.yml"
    settings.write_text(SETTINGS.format(place=place / "images"))
    names = [f"shelf-{number % 7}/image.{number}" for number in range(1, SIZES["many"] + 1)]
    with started([program, "serve", settings], place / "registry.log") as origin:
        with client(origin) as http:
            for name in names:
                _push(http, name)
        yield Site(origin, lambda _crawl, _collection: sorted(names))


def _push(http: httpx.Client, name: str) -> None:
    """A layer makes a repository."""
    content = name.encode()
    upload = http.post(f"/v2/{name}/blobs/uploads/").raise_for_status().headers["location"]
    digest = {"digest": f"sha256:{hashlib.sha256(content).hexdigest()}"}
    http.put(httpx.URL(upload).copy_merge_params(digest), content=content).raise_for_status()
