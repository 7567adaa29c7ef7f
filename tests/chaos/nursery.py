"""Workers and schedulers in plenty: this program imports them once, and each one is a fork of it.

A worker that starts by itself takes 1.5 s of a processor, and a storm of an hour kills a thousand. What runs in the
fork is `main` of the real program, with its arguments, its own session and its own log.

    start <module> <argument>...   ->  <pid>        by lines on stdin and stdout
    signal <pid> <number>          ->  "told", or "gone" when it had ended before
"""

import gc
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pagefleet_scheduler.__main__
import pagefleet_worker.__main__

PROGRAMS = {"worker": pagefleet_worker.__main__.main, "scheduler": pagefleet_scheduler.__main__.main}


class Nursery:
    """The side of who asks for children. Blocks for an answer, which takes a fraction of a millisecond."""

    def __init__(self, log: Path, environment: dict[str, str]) -> None:
        command = [sys.executable, __file__, str(log)]
        self._program = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def start(self, program: str, *arguments: str) -> int:
        """Its process id."""
        return int(self._ask("start", program, *arguments))

    def signal(self, pid: int, number: int) -> bool:
        """Whether the child was still there; with 0, nothing but that. A number is used again only when it is gone."""
        return self._ask("signal", str(pid), str(int(number))) == "told"

    def close(self) -> None:
        """End all children."""
        assert self._program.stdin
        assert self._program.stdout
        self._program.stdin.close()
        self._program.wait()
        self._program.stdout.close()

    def _ask(self, *words: str) -> str:
        assert self._program.stdin
        assert self._program.stdout
        self._program.stdin.write(" ".join(words).encode() + b"\n")
        self._program.stdin.flush()
        return self._program.stdout.readline().decode().strip()


@contextmanager
def nursing(log: Path, environment: Mapping[str, str]) -> Generator[Nursery]:
    """Where workers and schedulers come from for the length of the block; none of them is left."""
    nursery = Nursery(log, {"PAGEFLEET_ALLOW": "127.0.0.1", **os.environ, **environment})
    try:
        yield nursery
    finally:
        nursery.close()


def main() -> None:
    """Until the end of stdin, which comes also when who asked was killed; then all children are."""
    log = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    gc.freeze()  # the collector would copy what the forks share
    children = set[int]()
    while words := sys.stdin.buffer.readline().decode().split():
        reap(children)
        if words[0] == "start":
            children.add(pid := start(log, words[1], words[2:]))
            answer = str(pid)
        else:
            answer = "told" if (pid := int(words[1])) in children else "gone"
            if pid in children:
                os.kill(pid, int(words[2]))
        os.write(1, answer.encode() + b"\n")
    for pid in children:
        os.kill(pid, signal.SIGKILL)


def start(log: int, program: str, arguments: list[str]) -> int:
    """In the child this does not return."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        sys.argv = [program, *arguments]
        code = PROGRAMS[program]()
    except Exception:  # noqa: BLE001  # this is the top of a process
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def reap(children: set[int]) -> None:
    """Take the ended ones off the table."""
    for pid in list(children):
        if os.waitpid(pid, os.WNOHANG)[0]:
            children.discard(pid)


if __name__ == "__main__":
    main()
