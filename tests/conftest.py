"""What all tests share."""

import os
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1]))  # for `tests.api`; the mode importlib adds nothing
os.environ.setdefault("PAGEFLEET_ALLOW", "127.0.0.1")  # where the servers of tests are; tests of the guard take it away


@pytest.fixture
def anyio_backend() -> str:
    """arq and the library's drivers are asyncio's."""
    return "asyncio"
