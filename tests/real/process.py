"""Servers as processes of their own: started, known by the URL that they print, ended."""

import queue
import re
import subprocess
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx

PATIENCE = 60.0
"""Seconds for a server to start or to answer, on a busy machine."""
LISTENING = re.compile(rb"127\.0\.0\.1:\d+")
ROOT = Path(__file__).parents[2]


class NotInstalledError(Exception):
    """A server that is no Python package is not on this machine; says how it gets there."""


@dataclass(frozen=True, slots=True)
class Site:
    """A server that runs. `expected` tells from behind it what a crawl file (by its name) of a collection must find."""

    origin: str
    expected: Callable[[str, str], list[Any]]

    @property
    def url(self) -> str:
        """Of its root, without a slash."""
        return f"http://{self.origin}"


def client(origin: str) -> httpx.Client:
    """For loading documents into a server, which may take its time."""
    return httpx.Client(base_url=f"http://{origin}", trust_env=False, timeout=PATIENCE)


@contextmanager
def started(command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None) -> Generator[str]:
    """A server for the length of the block; yields its origin as soon as it says where it listens."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT, env=environment)
    assert process.stdout is not None
    said: queue.Queue[str | None] = queue.Queue()
    reader = threading.Thread(target=_listen, args=(process.stdout, log, said), name=f"log of {log.name}")
    reader.start()
    try:
        origin = said.get(timeout=PATIENCE)
        assert origin, f"{command[0]} ended: {log.read_text(errors='replace')[-2000:]}"
        yield origin
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join()
        process.stdout.close()


def _listen(output: IO[bytes], log: Path, said: "queue.Queue[str | None]") -> None:
    """Keeps what a server prints, so that it never waits for a reader."""
    with log.open("wb", buffering=0) as kept:
        for line in output:
            kept.write(line)
            if found := LISTENING.search(line):
                said.put(found[0].decode())
    said.put(None)
