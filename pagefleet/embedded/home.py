"""Where a Redis of our own lives: its directory, its socket, and the files there that are locked."""

import fcntl
import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pagefleet.errors import PagefleetError

if TYPE_CHECKING:  # redis-py takes 60 ms, and `import pagefleet` alone needs none of it
    from redis.asyncio import Redis

ANSWER_SECONDS = 5.0
LONGEST_SOCKET_PATH = 103  # bytes; Linux takes 107, macOS 103


class EmbeddedError(PagefleetError):
    """The embedded Redis cannot be started, used or stopped."""


@dataclass(frozen=True)
class Home:
    """Where a server lives."""

    directory: Path
    socket: Path
    lives: Path
    log: Path

    @classmethod
    def at(cls, directory: Path | str) -> "Home":
        place = Path(directory).resolve()
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        socket = place / "redis.sock"
        if len(os.fsencode(socket)) > LONGEST_SOCKET_PATH:
            # Made from the directory's name alone, so that every process finds the same place.
            name = hashlib.sha256(os.fsencode(place)).hexdigest()[:16]
            socket = Path(tempfile.gettempdir(), f"pagefleet-{os.getuid()}-{name}", "redis.sock")
        return cls(place, socket, place / "server.lock", place / "redis.log")

    def client(self) -> "Redis":
        from redis.asyncio import Redis  # noqa: PLC0415

        return Redis(unix_socket_path=str(self.socket), socket_timeout=ANSWER_SECONDS)

    def failure(self, what: str) -> EmbeddedError:
        """An error that quotes the server's log."""
        last_words = "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
        return EmbeddedError(f"The embedded Redis in {self.directory} {what}. Its log ends with:\n{last_words}")


def make_private(directory: Path) -> None:
    """A directory in a place that others can write to, which must be ours and closed to them."""
    directory.mkdir(mode=0o700, exist_ok=True)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise EmbeddedError(
            f"{directory} should be our own directory with mode 0700, for the socket of the embedded Redis. "
            "Remove it, or set TMPDIR."
        )


def opened(file: Path) -> IO[bytes]:
    """For ourselves alone, and made if it is not there."""
    file.touch(mode=0o600)
    return file.open("ab")


def try_lock(lock: IO[bytes], how: int) -> bool:
    """Without waiting; False: others have it."""
    try:
        fcntl.flock(lock, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_held(path: Path) -> bool:
    """Does somebody live who has locked this for themselves alone?"""
    with opened(path) as lock:
        if not try_lock(lock, fcntl.LOCK_SH):
            return True
        fcntl.flock(lock, fcntl.LOCK_UN)
        return False
