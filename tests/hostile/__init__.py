"""A hostile API: one endpoint for each way in which paginated APIs go wrong, by the numbers P1 to P30 of the catalogue.

Each collection is `ROWS`, the documents 0 to 24, ten a page, and each endpoint does one thing badly. A path is made of
its handler's name: `p03_constant_token` answers at `/p03-constant-token`. The families:

    collection.py   the rows, and how an honest page of them is made
    ends.py         where a crawl ends, or seems to: P1 to P7, P11
    sizes.py        pages that are empty, short, capped or huge, and totals that are wrong: P8 to P10, P12, P28
    cursors.py      cursors that die, move on by themselves, or want to be treated with care: P13 to P15, P24
    moving.py       rows that move while they are read: P16, P17, P25, P29
    leads.py        where the next page is said to be: P18 to P20
    answers.py      answers that are no page, or that come when it is too late: P21 to P23, P26, P27, P30

What each must come to stands in `tests/unit/test_pathologies.py`, and in `tests/redis/` where it takes a fleet.
`python -m tests.hostile` prints its URL and serves until it is killed.
"""

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import ModuleType

import pytest

from tests.api import Api
from tests.hostile import answers, cursors, ends, leads, moving, sizes
from tests.hostile.collection import MEMORY, ROWS, Memory

pytest.register_assert_rewrite("tests.hostile.outcome")  # so that what it found is told

__all__ = ["ROWS", "Hostile", "hostile"]

FAMILIES: tuple[ModuleType, ...] = (ends, sizes, cursors, moving, leads, answers)


class Hostile(Api):
    """Serves all pathologies on a free port of the loopback interface."""

    def __init__(self) -> None:
        super().__init__(0.0)
        app = self._runner.app
        self.memory = app[MEMORY] = Memory()
        for family in FAMILIES:
            for name, handler in vars(family).items():
                if name[0] == "p" and name[1:3].isdigit():
                    app.router.add_route("*", f"/{name.replace('_', '-')}", handler)
                    app.router.add_route("*", f"/{name.replace('_', '-')}/{{place:.+}}", handler)

    def forget(self) -> None:
        """All that was asked and done so far."""
        self._asked.clear()
        self.memory.times.clear()
        self.memory.values.clear()

    def has_seen(self, event: str) -> int:
        """How often something happened that an endpoint counts."""
        return self.memory.times[event]


@contextmanager
def hostile() -> Generator[Hostile]:
    """A server in a thread of its own, with a memory of its own."""
    served, loop = Hostile(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="hostile", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(served.start(0), loop).result(10)
        yield served
    finally:
        asyncio.run_coroutine_threadsafe(served.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
