"""A fleet on this machine: a scheduler and workers as child processes, replaced when they die, drained at the end."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE = 30.0
"""Seconds for a child to drain; it needs a fraction of one, unless Redis is away."""


class LocalFleet:
    """For the length of the block, `workers` workers and one scheduler run. Their words go to `log`."""

    def __init__(self, url: str, workers: int, log: Path) -> None:
        self._url = url
        self._roles = ["scheduler", *["worker"] * workers]
        self._log = log
        self._children: dict[Process, str] = {}
        self._keeping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        for role in self._roles:
            await self._start(role)
        self._keeping = asyncio.create_task(self._keep(), name="keep the local fleet")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._keeping:
            self._keeping.cancel()
        await self.drain()

    @property
    def workers(self) -> list[int]:
        """Process ids of the workers that are there now."""
        return [child.pid for child, role in self._children.items() if role == "worker"]

    async def drain(self) -> None:
        """Ask all to stop, and wait until they have."""
        for child in self._children:
            if child.returncode is None:
                child.send_signal(signal.SIGTERM)
        async with asyncio.TaskGroup() as ending:
            for child in self._children:
                ending.create_task(_end(child))
        self._children.clear()

    async def _start(self, role: str) -> None:
        """In a session of its own: Ctrl-C is for us, and we pass on what it means."""
        with self._log.open("ab") as log:
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", f"pagefleet_{role}", "--redis", self._url, "--parent", str(os.getpid())),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._children[child] = role

    async def _keep(self) -> None:
        """Replace what dies, not faster than one a second."""
        while True:
            await asyncio.sleep(1)
            for child, role in list(self._children.items()):
                if child.returncode is not None:
                    del self._children[child]
                    await self._start(role)


async def _end(child: Process) -> None:
    try:
        await asyncio.wait_for(child.wait(), PATIENCE)
    except TimeoutError:
        child.kill()
        await child.wait()
