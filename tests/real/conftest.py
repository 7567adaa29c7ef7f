"""Servers that start when the first test asks for them, and live as long as the session."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from tests.cli.shell import Shell
from tests.real.endpoints import SITES
from tests.real.process import NotInstalledError, Site
from tests.real.sites.moto import SECRETS

Sites = Callable[[str], Site]
OURS = ("REDIS_URL", "PAGEFLEET_", "PYTHONDONTWRITEBYTECODE")


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


@pytest.fixture(scope="session", name="environment")
def _environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Of commands; what they import is compiled once."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**inherited, **SECRETS, "PYTHONPYCACHEPREFIX": str(tmp_path_factory.mktemp("compiled"))}


@pytest.fixture(scope="module", name="in_a_shell")
def _in_a_shell(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Iterator[Callable[[], Shell]]:
    """A shell in a directory of its own, as often as it is called."""
    with ExitStack() as stack:

        def shell() -> Shell:
            opened = Shell(tmp_path_factory.mktemp("here"), tmp_path_factory.mktemp("kept"), environment)
            stack.callback(opened.close)
            return opened

        yield shell


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
