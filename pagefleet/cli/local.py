"""A fleet on this machine: a scheduler and workers as child processes, replaced when they die, drained at the end."""

import asyncio
import os
import re
import signal
import sys
import time
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pagefleet.errors import PagefleetError
from pagefleet.tasks import ended

PATIENCE = 30.0
"""Seconds for a child to drain; it needs a fraction of one, unless Redis is away."""
INFANCY = 15.0
"""Seconds; a child that fails so soon after its start did not come to work at all."""
TRIES = 3
"""Children that may fail so in a row."""
PREFIX = re.compile(r"^(?:\S+ \S+ [A-Z]+ \S+: |pagefleet \w+: )+")
"""What stands before the words of a log line."""
NEWS = re.compile(r"^\S+ \S+ INFO ")
"""Of no use to whoever asks why a child has died; it may be another's."""


class LocalFleetError(PagefleetError):
    """Workers or the scheduler cannot be started on this machine."""


@dataclass(frozen=True, slots=True)
class _Child:
    role: str
    process: Process
    started: float

    @property
    def has_ended(self) -> bool:
        return self.process.returncode is not None


class LocalFleet:
    """For the length of the block, `workers` workers and one scheduler run; what they say is in the file `log`.

    `tell` gets a line when a child has died; `failing` is a task that raises `LocalFleetError` when they cannot
    live. Leaving the block drains them, and kills them if it is left by a cancellation. `typed` is `Settings.typed`.
    """

    def __init__(self, url: str, workers: int, log: Path, tell: Callable[[str], None], typed: str) -> None:
        # Not arguments: everybody may read those.
        self._environment = {**os.environ, "REDIS_URL": url, "PAGEFLEET_TYPED": typed}
        self._roles = ["scheduler", *["worker"] * workers]
        self._log = log
        self._tell = tell
        self._children: list[_Child] = []
        self._failures = Counter[str]()

    async def __aenter__(self) -> Self:
        try:
            for role in self._roles:
                await self._start(role)
        except BaseException:
            await self._kill()
            raise
        self.failing: asyncio.Task[None] = asyncio.create_task(self._keep(), name="keep the local fleet")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None or not issubclass(kind, asyncio.CancelledError):
                await self.drain()
        finally:
            await self._kill()

    @property
    def workers(self) -> list[int]:
        """Process ids of the workers that are there now."""
        return [child.process.pid for child in self._children if child.role == "worker" and not child.has_ended]

    async def drain(self) -> None:
        """Ask all to stop, and wait until they have."""
        await ended(self.failing)
        self._send(signal.SIGTERM)
        try:
            async with asyncio.timeout(PATIENCE):
                for child in self._children:
                    await child.process.wait()
        except TimeoutError:
            self._tell(f"not all workers stopped within {PATIENCE:g} s, and are killed; see {self._log}")

    async def _kill(self) -> None:
        self._send(signal.SIGKILL)
        for child in self._children:
            await child.process.wait()

    def _send(self, signum: signal.Signals) -> None:
        for child in self._children:
            if not child.has_ended:
                child.process.send_signal(signum)

    async def _start(self, role: str) -> None:
        """In a session of its own: Ctrl-C is for us, and we pass on what it means."""
        try:
            self._log.parent.mkdir(mode=0o700, exist_ok=True)
            with self._log.open("ab") as log:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", f"pagefleet_{role}", "--parent", str(os.getpid())),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                    env=self._environment,
                )
        except OSError as error:
            raise LocalFleetError(f"starting a {role} that logs to {self._log}: {error}; mend that first") from error
        self._children.append(_Child(role, process, time.monotonic()))

    async def _keep(self) -> None:
        """Replace what dies, not faster than one a second."""
        while True:
            await asyncio.sleep(1)
            for child in [child for child in self._children if child.has_ended]:
                self._children.remove(child)
                self._mourn(child)
                await self._start(child.role)

    def _mourn(self, child: _Child) -> None:
        """Say what became of a child; raise when one after the other fails as soon as it is there."""
        code = child.process.returncode or 0
        what = f"{child.role} {child.process.pid} "
        what += f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        if code > 0:
            what += f": {self._last_words()}"
        is_infant = code > 0 and time.monotonic() - child.started < INFANCY
        self._failures[child.role] = self._failures[child.role] + 1 if is_infant else 0
        if self._failures[child.role] >= TRIES:
            raise LocalFleetError(f"{what}; so did {TRIES - 1} before it; mend that, and see {self._log}")
        self._tell(f"{what}; another is started")

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        said = [line for line in lines if line.strip() and not NEWS.match(line)]
        return PREFIX.sub("", said[-1]) if said else "it said nothing"
