"""A shell for each test, in whose directory no process may be left when the test has ended."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api import Api, api
from tests.cli.shell import Shell
from tests.machine import Machine, machine

SHORT = {"PAGEFLEET_LEASE": "2.4", "PAGEFLEET_RENEW": "0.8", "PAGEFLEET_SWEEP": "0.2"}
OURS = ("REDIS_URL", "PAGEFLEET_", "COLUMNS", "PYTHONDONTWRITEBYTECODE")


@pytest.fixture(scope="session", name="compiled")
def _compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Commands start twice as fast when they need not compile what they import; its size counts, too."""
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture(scope="session", name="environment")
def _environment(compiled: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**inherited, **SHORT, "PYTHONPYCACHEPREFIX": str(compiled), "PYTHONNODEBUGRANGES": "1"}


@pytest.fixture(name="shell")
def _shell(tmp_path: Path, environment: dict[str, str]) -> Iterator[Shell]:
    (tmp_path / "here").mkdir()
    (tmp_path / "kept").mkdir()
    shell = Shell(tmp_path / "here", tmp_path / "kept", environment)
    yield shell
    shell.close()


@pytest.fixture(name="server", scope="module")
def _server() -> Iterator[Api]:
    with api() as server:
        yield server


@pytest.fixture(name="redis")
def _redis(tmp_path: Path) -> Iterator[Machine]:
    """A shared Redis."""
    (tmp_path / "redis").mkdir()
    with machine(tmp_path / "redis") as started:
        yield started
