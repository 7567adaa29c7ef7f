"""What all tests share."""

import os
import pickle  # noqa: TID251 — to break it
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest

sys.path.append(str(Path(__file__).parents[1]))  # for `tests.api`; the mode importlib adds nothing
os.environ.setdefault("PAGEFLEET_ALLOW", "127.0.0.1")  # where the servers of tests are; tests of the guard take it away


def _never(*_: Any, **__: Any) -> NoReturn:
    """Unpickling is code execution for whoever can write to Redis: no path of ours, arq's or redis-py's may do it."""
    raise AssertionError("something was unpickled")


for _name in ("load", "loads", "Unpickler"):
    setattr(pickle, _name, _never)


@pytest.fixture
def anyio_backend() -> str:
    """arq and the library's drivers are asyncio's."""
    return "asyncio"
