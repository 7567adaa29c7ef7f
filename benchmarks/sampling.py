"""py-spy's samples of a process."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.machine import SERVERS, pinned

RATE = 200
"""Samples a second."""


@contextmanager
def sampled(pid: int, into: Path) -> Generator[None]:
    """Samples of a process while the block lasts, as py-spy's folded stacks."""
    program = shutil.which("py-spy", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if program is None:
        raise RuntimeError("there is no py-spy beside this Python; make .venv/.installed brings it")
    command = [program, "record", f"--pid={pid}", f"--rate={RATE}", "--format=raw", f"--output={into}"]
    with pinned(SERVERS):
        spy = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield
    finally:
        spy.send_signal(signal.SIGINT)  # it writes its file then
        _, said = spy.communicate(timeout=30)
    if not into.exists():
        raise RuntimeError(f"py-spy sampled nothing (it needs to be root here): {said.decode(errors='replace')[-500:]}")
