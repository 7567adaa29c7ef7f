"""How a command is carried out: what is checked before it, the loop that it runs in, how it prints."""

import asyncio
import io
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn

from pydantic import ValidationError
from rich.console import Console

from pagefleet.cli.drain import DIRECTORY
from pagefleet.cli.ending import Refused
from pagefleet.cli.interrupts import Interrupts
from pagefleet.connection import open_pool
from pagefleet.errors import RedisUnusable
from pagefleet.fleet import Fleet
from pagefleet.settings import Settings

WIDE = 250
"""Columns where nobody's terminal says how many there are."""


def over(command: Callable[[Interrupts], Coroutine[Any, Any, int | None]]) -> int:
    """Run it to its end, or to a second Ctrl-C; answers the exit status."""

    async def interruptible() -> int:
        interrupts = Interrupts()
        return await interrupts.over(command(interrupts))

    return asyncio.run(interruptible())


def at_crawls(redis: str | None, act: Callable[[Fleet], Coroutine[Any, Any, None]]) -> int:
    """For looking at crawls, or after them, that are there."""
    check(redis, DIRECTORY)

    async def looked() -> None:
        async with Fleet(redis) as fleet:
            await act(fleet)

    return over(lambda _: looked())


def become(role: str, redis: str | None, *options: str) -> NoReturn:
    """This process becomes the worker or the scheduler: neither package is imported here, and signals go straight."""
    if redis is None:
        raise Refused(f"starting a {role}: there is no Redis to share; give --redis URL or set REDIS_URL")
    check(redis)
    os.environ["REDIS_URL"] = redis  # not an argument: everybody may read those
    os.execv(sys.executable, [sys.executable, "-m", f"pagefleet_{role}", *options])  # noqa: S606 — no shell is the point


def check(redis: str | None, needed: Path | None = None) -> None:
    """Raise `Refused` for what can be seen to be wrong before anything is started."""
    check_environment()
    if redis is not None:
        try:
            open_pool(redis)  # which connects at first use only
        except RedisUnusable as error:
            raise Refused(str(error)) from error
    elif needed is not None and not needed.is_dir():
        raise Refused(
            f"looking for crawls: there is no {needed}/ in {Path.cwd()}, and no --redis was given; go to where the "
            f"crawl was started, or give --redis URL"
        )


def check_environment() -> None:
    """Raise `Refused` for settings that make no sense."""
    try:
        Settings()
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise Refused(f"reading PAGEFLEET_... from the environment: {faults}; correct or unset it") from error


def printed(*parts: Any) -> None:
    """What rich can show, on stdout, as wide as the terminal is."""
    is_terminal = sys.stdout.isatty()
    text = io.StringIO()  # not stdout itself: rich ends the program its own way when nobody reads on
    console = Console(file=text, highlight=False, force_terminal=is_terminal, width=None if is_terminal else WIDE)
    console.print(*parts, sep="\n")
    print("\n".join(line.rstrip() for line in text.getvalue().splitlines()))
