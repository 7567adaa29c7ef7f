"""What Redis spends: time of its one core, commands, and the time inside them."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Spent:
    """During a block; filled in at its end."""

    core: float = 0.0
    """Seconds of the thread that executes commands."""
    commands: int = 0
    """From clients; those inside of scripts and of transactions count as well, but for the latter's EXEC."""
    inside: float = 0.0
    """Seconds in scripts, or in commands where there are none."""


@contextmanager
def spent(redis: Any) -> Generator[Spent]:
    """Of a Redis on this machine that does nothing else, so it is all of what the block lets it do."""
    thread = main_thread(redis)
    redis.config_resetstat()
    found, before = Spent(), core_seconds(thread)
    yield found
    found.core = core_seconds(thread) - before
    stats = redis.info("commandstats")
    ours = {name.removeprefix("cmdstat_"): one for name, one in stats.items() if not is_of_the_benchmark(name)}
    found.commands = sum(one["calls"] for one in ours.values())
    scripts = ours.get("evalsha")
    found.inside = (scripts["usec"] if scripts else sum(one["usec"] for one in ours.values())) / 1e6


def is_of_the_benchmark(name: str) -> bool:
    """Who measures asks, too."""
    return name.removeprefix("cmdstat_") in ("info", "config|resetstat", "config|set", "config|get", "script|load")


def main_thread(redis: Any) -> int:
    """Its number."""
    return int(redis.info("server")["process_id"])


def core_seconds(thread: int) -> float:
    """Processor time of one thread, to the nanosecond; those that sync files run beside it."""
    return int(Path(f"/proc/{thread}/task/{thread}/schedstat").read_text().split()[0]) / 1e9
