"""What all tests share."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1]))  # for `tests.api`; the mode importlib adds nothing


@pytest.fixture
def anyio_backend() -> str:
    """arq and the library's drivers are asyncio's."""
    return "asyncio"
