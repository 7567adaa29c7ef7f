"""Servers that start when the first test asks for them, and live as long as the session."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from tests.real.endpoints import SITES
from tests.real.process import NotInstalledError, Site
from tests.real.sites.moto import SECRETS

Sites = Callable[[str], Site]


@pytest.fixture(scope="session", name="sites")
def _sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    """A server by its name."""
    with ExitStack() as stack:

        @cache
        def site(name: str) -> Site:
            try:
                return stack.enter_context(SITES[name](tmp_path_factory.mktemp(name)))
            except NotInstalledError as error:
                if "CI" in os.environ:
                    raise
                pytest.skip(f"{name} is no Python package, and not on this machine: {error}")

        yield site


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
