"""A worker that kills itself at the n-th moment of a job; `python -m tests.redis.mortal URL` makes them.

It reads lines `<tag> <lease> <n>`, and for each forks a process that does this job (`advance`) and, at its n-th moment,
sends itself SIGKILL: no `finally`, no `except`, no goodbye to Redis. It answers how the process ended and how many
moments it saw. A moment is

    an await of the slice loop (slice.py, advance.py, pages.py) that begins, whether it then waits or not
    a step of the event loop: behind each one something has come back, or has been sent
"""

import asyncio
import dis
import os
import signal
import sys
from asyncio.events import Handle
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pagefleet_worker.slice
from pagefleet_worker.advance import Station, advance
from pagefleet_worker.clients import Clients

from pagefleet.fleet import Fleet
from pagefleet.settings import Settings

LOOP = {
    str(Path(str(sys.modules[name].__file__)))
    for name in ("pagefleet_worker.slice", "pagefleet_worker.advance", "pagefleet.pages")
}
AWAITS = {dis.opmap[name] for name in ("GET_AWAITABLE", "GET_ANEXT")}
PART = 3
"""Documents of a commit, so that a small page goes in parts."""


class Clock:
    """Counts the moments, and ends the process at the last one it may see."""

    def __init__(self, last: int) -> None:
        self.now = 0
        self._last = last

    def tick(self) -> None:
        self.now += 1
        if self.now == self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def trace(self, frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
        """Python's trace function: of the files of the loop, every instruction that begins an await."""
        if event == "call":
            if frame.f_code.co_filename not in LOOP:
                return None
            frame.f_trace_lines, frame.f_trace_opcodes = False, True
        elif event == "opcode" and frame.f_code.co_code[frame.f_lasti] in AWAITS:
            self.tick()
        return self.trace

    def count_steps(self) -> None:
        """Of the event loop."""
        run: Any = Handle._run

        def ticking(handle: Any) -> None:
            self.tick()
            run(handle)

        setattr(Handle, run.__name__, ticking)


async def work(url: str, tag: str, lease: int, clock: Clock) -> None:
    """One job, watched by the clock from its first step to its last."""
    async with Fleet(url) as fleet, Clients(Settings()) as clients:
        station = Station("mortal", fleet, clients, Settings())
        clock.count_steps()
        sys.settrace(clock.trace)
        await asyncio.create_task(advance({"station": station}, tag, lease))
        sys.settrace(None)


def main(url: str) -> None:
    """Until there are no more lines."""
    pagefleet_worker.slice.MOST_DOCUMENTS = PART
    for line in sys.stdin:
        tag, lease, last = line.split()
        child = os.fork()
        if not child:
            clock = Clock(int(last))
            asyncio.run(work(url, tag, int(lease), clock))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
