"""Several worker processes under a parent that does nothing else: it passes signals on and replaces what dies."""

import os
import signal
import sys
import time
from contextlib import suppress


class Processes:
    """`count` workers with these arguments; their Redis is the environment's."""

    def __init__(self, count: int, *arguments: str) -> None:
        self._count = count
        self._command = [sys.executable, "-m", "pagefleet_worker", *arguments, "--parent", str(os.getpid())]
        self._children: set[int] = set()
        self._is_draining = False

    def run(self) -> int:
        """Until a signal has drained all; 0, or 1 if one of them did not end well."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._drain)
        for _ in range(self._count):
            self._start()
        worst = 0
        while self._children:
            child, status = os.wait()
            self._children.discard(child)
            code = os.waitstatus_to_exitcode(status)
            if not self._is_draining:
                self._replace(child, code)
            elif code != -signal.SIGTERM:  # that one had not begun to listen to signals
                worst = max(worst, abs(code))
        return min(worst, 1)

    def _replace(self, child: int, code: int) -> None:
        """Not faster than one a second: what ends at once would otherwise keep the machine busy."""
        print(f"pagefleet worker: process {child} ended with {code}; starting another", file=sys.stderr)
        time.sleep(1)
        self._start()

    def _start(self) -> None:
        if not self._is_draining:
            # In process groups of their own: a terminal's Ctrl-C would reach them too, and then once more from here.
            self._children.add(os.posix_spawn(sys.executable, self._command, os.environ, setpgroup=0))
        if self._is_draining:  # the signal came while this one started
            self._drain()

    def _drain(self, *_: object) -> None:
        self._is_draining = True
        for child in self._children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)
