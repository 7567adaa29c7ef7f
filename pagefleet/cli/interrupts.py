"""Ctrl-C: where a command can stop gently, the first one asks it to; any other one ends it at once.

The same holds for what `kill` sends, and for a terminal that is closed.
"""

import asyncio
import signal
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from typing import Any

from pagefleet.cli.ending import INTERRUPTED
from pagefleet.tasks import ended

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """For one command; `asked` is set by the first interrupt within a `gently` block."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self._is_gentle = False
        self._ending = asyncio.Event()

    async def over(self, command: Coroutine[Any, Any, int | None]) -> int:
        """Run a command to its end; answers its status, or 130."""
        loop = asyncio.get_running_loop()
        heard = [signum for signum in SIGNALS if signal.getsignal(signum) is not signal.SIG_IGN]  # nohup ignores some
        for signum in heard:
            loop.add_signal_handler(signum, self._come)
        running = asyncio.create_task(command, name="command")
        ending = asyncio.create_task(self._ending.wait(), name="wait for an interrupt")
        try:
            await asyncio.wait({running, ending}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                return await running or 0
            await ended(running)
            return INTERRUPTED
        finally:
            await ended(ending)
            for signum in heard:
                loop.remove_signal_handler(signum)

    @contextmanager
    def gently(self) -> Generator[None]:
        """Within this block, whoever runs it looks at `asked` and stops by itself."""
        self._is_gentle = True
        try:
            yield
        finally:
            self._is_gentle = False

    def _come(self) -> None:
        if self._is_gentle and not self.asked.is_set():
            self.asked.set()
        else:
            self._ending.set()
