"""A real Redis of each version at hand, an empty database for each test, and nothing left in it that has no reason."""

import asyncio
from collections.abc import Generator

import pytest
from redis import Redis

from pagefleet.embedded import embedded
from tests.redis.remains import check_remains
from tests.redis.servers import at_hand


def find(name: str) -> str | None:
    """The program of a server, if it is at hand."""
    return str(at_hand()[name]) if name in at_hand() else None


@pytest.fixture(scope="session", params=list(at_hand()))
def redis_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The URL of a server that lives as long as the session."""
    block = embedded(tmp_path_factory.mktemp("redis"), server=at_hand()[request.param])
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
