"""One server for all endpoints, and how hard hypothesis tries."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.probe import counted, doubtful, formats, linked, named, numbered, peculiar, placed
from tests.probe.server import Server, serving

settings.register_profile("quick", max_examples=60, deadline=None)
settings.register_profile("thorough", max_examples=5000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.fixture(name="server", scope="module")
def _server() -> Iterator[Server]:
    with serving(numbered, counted, doubtful, placed, linked, named, peculiar, formats) as served:
        yield served
