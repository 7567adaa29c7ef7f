"""FastAPI with fastapi-pagination."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.real.process import Site, started
from tests.real.records import records


@contextmanager
def fastapi(place: Path) -> Generator[Site]:
    """The collections themselves, without a database."""
    with started([sys.executable, "-m", "tests.real.programs.fastapi_app"], place / "fastapi.log") as origin:
        yield Site(origin, lambda _, collection: records(collection))
