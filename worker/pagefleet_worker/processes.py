"""Several worker processes under a parent that does nothing else: it passes signals on and replaces what dies."""

import os
import signal
import sys
import time
from contextlib import suppress

INFANCY = 5.0
"""Seconds within which a process that fails has not got off the ground."""
TRIES = 3


class Processes:
    """`count` workers with these arguments; their Redis is the environment's."""

    def __init__(self, count: int, *arguments: str) -> None:
        self._count = count
        self._command = [sys.executable, "-m", "pagefleet_worker", *arguments, "--parent", str(os.getpid())]
        self._children: dict[int, float] = {}
        """By process id, when it was started."""
        self._is_draining = False
        self._failures = 0
        self._failed = False

    def run(self) -> int:
        """Until a signal has drained all; 0, or 1 if one of them did not end well."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._drain)
        for _ in range(self._count):
            self._start()
        worst = 0
        while self._children:
            child, status = os.wait()
            lived = time.monotonic() - self._children.pop(child)
            code = os.waitstatus_to_exitcode(status)
            if not self._is_draining:
                self._replace(child, code, lived)
            elif code != -signal.SIGTERM:  # that one had not begun to listen to signals
                worst = max(worst, abs(code))
        return 1 if self._failed else min(worst, 1)

    def _replace(self, child: int, code: int, lived: float) -> None:
        """Not faster than one a second, and not for ever when each fails as soon as it is there."""
        is_infant = code > 0 and lived < INFANCY
        self._failures = self._failures + 1 if is_infant else 0
        if self._failures >= TRIES:
            print(f"pagefleet worker: {TRIES} processes failed at their start; mend that first", file=sys.stderr)
            self._failed = True
            self._drain()
            return
        print(f"pagefleet worker: process {child} ended with {code}; starting another", file=sys.stderr)
        time.sleep(1)
        self._start()

    def _start(self) -> None:
        if not self._is_draining:
            # In process groups of their own: a terminal's Ctrl-C would reach them too, and then once more from here.
            started = time.monotonic()
            self._children[os.posix_spawn(sys.executable, self._command, os.environ, setpgroup=0)] = started
        if self._is_draining:  # the signal came while this one started
            self._drain()

    def _drain(self, *_: object) -> None:
        self._is_draining = True
        for child in self._children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)
