"""A server that must be left alone, and how hard hypothesis tries: HYPOTHESIS_PROFILE=thorough for a night's worth."""

import asyncio
import os
from collections.abc import Generator

import pytest
from hypothesis import settings

from tests.api import Api, api

settings.register_profile("quick", max_examples=60, deadline=None)
settings.register_profile("thorough", max_examples=5000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.fixture
def server() -> Generator[Api]:
    """A paginated API; a test that leaves a connection to it open fails."""
    with api() as served:
        yield served
        asyncio.run(served.is_idle())
