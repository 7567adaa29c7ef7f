"""One server for all endpoints."""

from collections.abc import Iterator

import pytest

from tests.probe import formats, named, numbered
from tests.probe.server import Server, serving


@pytest.fixture(name="server", scope="module")
def _server() -> Iterator[Server]:
    with serving(numbered, named, formats) as served:
        yield served
