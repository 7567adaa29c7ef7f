"""`pagefleet` as a shell runs it: real processes in a directory of their own, looked at from outside."""

import json
import os
import pty
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.api import document
from tests.machine import wait_until

PROGRAM = str(Path(sys.executable).with_name("pagefleet"))
PROGRESS = " documents · "
"""Stands in each line that shows progress."""
PROCESSES = Path("/proc")
ONE = ("--workers", "1")
"""Enough where several are not the point: each takes a second to start."""
WORKER, SCHEDULER, REDIS, COMMAND = ROLES = ("pagefleet_worker", "pagefleet_scheduler", "redis-server", PROGRAM)


class Command:
    """A command that runs, or has run. It leads a process group of its own, as a shell's jobs do."""

    def __init__(self, process: subprocess.Popen[bytes], place: Path, number: int) -> None:
        self.process = process
        self._out = place / f"{number}.out"
        self.kept = place / f"{number}.err"

    def ends(self, seconds: float = 60.0) -> int:
        """Wait for its end; answers its exit status."""
        return self.process.wait(seconds)

    def interrupt(self, signum: signal.Signals = signal.SIGINT) -> None:
        """To the whole process group, as a terminal does."""
        os.killpg(self.process.pid, signum)

    async def says(self, words: str) -> None:
        """Waits until this stands on stderr."""

        async def said() -> bool:
            return words in self.stderr

        await wait_until(said)

    @property
    def stdout(self) -> bytes:
        return self._out.read_bytes()

    @property
    def stderr(self) -> str:
        return self.kept.read_text()

    @property
    def lines(self) -> list[str]:
        """What it said on stderr beside its progress."""
        return [line for line in self.stderr.splitlines() if PROGRESS not in line]

    @property
    def error(self) -> str:
        """The last of these lines; where there is an error, this is it."""
        assert "Traceback" not in self.stderr, self.stderr
        return self.lines[-1]


class Shell:
    """A working directory, `place`, in which commands are given. What they print is kept in files elsewhere."""

    def __init__(self, place: Path, kept: Path, environment: Mapping[str, str]) -> None:
        self.place = place
        self._kept = kept
        self.environment = dict(environment)
        self._commands: list[Command] = []

    def start(self, *words: str | Path, stdout: int | None = None) -> Command:
        """`pagefleet` with these words."""
        return self._start([PROGRAM, *map(str, words)], stdout)

    def start_on_terminal(self, *words: str | Path) -> Command:
        """The same on a terminal of 80 columns, whose whole text is kept as what stands on stderr."""
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 80))
        command = self._start([PROGRAM, *map(str, words)], theirs, theirs)
        os.close(theirs)
        threading.Thread(target=_keep, args=(ours, command.kept), daemon=True).start()
        return command

    def start_line(self, line: str) -> Command:
        """A line of bash, in which `pagefleet` is known."""
        return self._start(["bash", "-c", f"PATH={Path(PROGRAM).parent}:$PATH; {line}"], None)

    def _start(self, command: list[str], stdout: int | None, stderr: int | None = None) -> Command:
        number = len(self._commands)
        with (self._kept / f"{number}.out").open("wb") as out, (self._kept / f"{number}.err").open("wb") as err:
            process = subprocess.Popen(
                command,
                cwd=self.place,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out if stdout is None else stdout,
                stderr=err if stderr is None else stderr,
                start_new_session=True,
            )
        self._commands.append(Command(process, self._kept, number))
        return self._commands[-1]

    def run(self, *words: str | Path) -> Command:
        """The same, to its end."""
        command = self.start(*words)
        command.ends()
        return command

    def write(self, name: str, said: Mapping[str, Any]) -> Path:
        """A crawl file."""
        file = self.place / f"{name}.json"
        file.write_text(json.dumps(said))
        return file

    def left(self) -> dict[int, str]:
        """All processes that were started from this directory and still live, whoever their parent is by now: their
        ids and command lines."""
        return {int(entry.name): said for entry in PROCESSES.iterdir() if (said := self._command_line(entry))}

    def _command_line(self, process: Path) -> str:
        with suppress(OSError):  # it ended meanwhile, or is another user's
            if process.name.isdigit() and (process / "cwd").readlink().is_relative_to(self.place):
                return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        return ""

    def roles(self) -> list[str]:
        """What these processes are, in order."""
        return sorted(next((role for role in ROLES if role in said), said) for said in self.left().values())

    def workers(self) -> set[int]:
        """Those of them that are workers."""
        return {process for process, said in self.left().items() if WORKER in said}

    async def is_left_to(self, *roles: str) -> None:
        """Waits until no other processes live here than these."""

        async def fact() -> bool:
            return self.roles() == sorted(roles)

        await wait_until(fact, 20)

    async def holds(self, file: str, count: int) -> None:
        """Waits until a file holds so many lines."""

        async def fact() -> bool:
            path = self.place / file
            return path.exists() and path.read_bytes().count(b"\n") >= count

        await wait_until(fact)

    def close(self) -> None:
        """Drain what still runs; nothing may be left then."""
        try:
            for command in self._commands:
                if command.process.poll() is None:
                    command.interrupt(signal.SIGTERM)
            for command in self._commands:
                command.ends()
            assert self.roles() == []
        finally:
            self._kill()

    def _kill(self) -> None:
        for command in self._commands:
            command.process.kill()
            command.process.wait()
            if command.process.stdout:
                command.process.stdout.close()
        for process in self.left():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


def _keep(terminal: int, file: Path) -> None:
    """Read what is written to a terminal, until nobody has it open any more."""
    with suppress(OSError), file.open("ab", buffering=0) as kept:
        while text := os.read(terminal, 65536):
            kept.write(text)
    os.close(terminal)


def expected(collection: str, count: int, pad: int = 0) -> bytes:
    """What a file holds that has the documents of a collection, each once and in order."""
    return b"".join(document(collection, number, pad) + b"\n" for number in range(count))
