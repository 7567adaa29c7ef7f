"""A host for models, and the secrets that crawl files name."""

import random
from collections.abc import Iterator

import pytest

from tests.dialects.cases import ENVIRONMENT
from tests.dialects.host import Host, hosting


@pytest.fixture(scope="session", name="host")
def _host() -> Iterator[Host]:
    with hosting() as host:
        yield host


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def impatience() -> Iterator[None]:
    """A seed with which the first wait between attempts is short."""
    random.seed(next(seed for seed in range(1000) if random.Random(seed).uniform(0, 1) < 0.02))
    yield
    random.seed()
