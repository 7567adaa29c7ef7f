"""Where documents go, as JSON Lines: a file, which can be cut to what it held before, or a stream, which cannot."""

import asyncio
import errno
import fcntl
import hashlib
import os
import select
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

from pagefleet.cli.ending import Refused
from pagefleet.cli.progress import Manner, beside
from pagefleet.errors import PagefleetError
from pagefleet.page import Document

MARKED = 4096
"""Bytes at the end of a file that it is known by."""


class OutputError(PagefleetError):
    """The output could be written, and now it cannot; what is acknowledged stays."""


class ReaderGone(OutputError):
    """Whoever read the documents at the other end of a pipe does so no more."""


class Output(Protocol):
    """Where documents go. `consumer` names it in Redis; a note is what its last acknowledgement left it."""

    consumer: str

    @property
    def manner(self) -> Manner:
        """How progress is shown beside it."""
        ...

    def open(self) -> None:
        """Have it, and nobody else; change nothing yet. Raises `Refused`."""
        ...

    def check(self, note: str | None) -> None:
        """Raise `Refused` unless it holds what is acknowledged, and nothing of anybody else's."""
        ...

    def go_on(self, note: str | None) -> bool:
        """Get ready behind what is acknowledged; False when that is gone, so that it begins anew."""
        ...

    async def write(self, documents: Sequence[Document]) -> str:
        """Have these written for good, and answer the note to acknowledge them with."""
        ...

    def close(self) -> None: ...


class JsonLinesFile:
    """A file that only this crawl writes, from one process at a time."""

    manner = Manner.LIVE

    def __init__(self, path: Path) -> None:
        self._path = path
        self.consumer = f"file:{path}"
        self._file: BinaryIO

    def open(self) -> None:
        try:
            self._file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        except OSError as error:
            raise Refused(f"opening {self._path} for the documents: {_remedy(error, self._path)}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise Refused(
                f"opening {self._path} for the documents: another process is writing it; let it end, or give another -o"
            ) from error

    def check(self, note: str | None) -> None:
        """A note is the length that was written, and what stood at its end; behind that a crash may have left more."""
        (written, mark), length = parsed(note), self._length()
        if length and note is None:
            raise Refused(
                f"writing {self._path}: it holds {length:,} bytes that are not from this crawl; move it away or give "
                f"another -o"
            )
        if 0 < length < written:
            raise Refused(
                f"writing {self._path}: this crawl wrote {written:,} bytes to it, and it holds {length:,} now; put it "
                f"back, or remove it to have it written anew"
            )

        if written and length >= written and mark != self._mark(written):
            raise Refused(
                f"writing {self._path}: it does not hold what this crawl wrote to it; another file is there. Put "
                f"the right one back, move this one away to have it written anew, or give another -o"
            )

    def go_on(self, note: str | None) -> bool:
        written, _ = parsed(note)
        if self._length() < written:
            return False
        try:
            self._file.truncate(written)
        except OSError as error:
            raise Refused(f"cutting {self._path} to what it held: {_remedy(error, self._path)}") from error
        self._file.seek(written)
        return True

    def _mark(self, written: int) -> str:
        """Of the last bytes before this length: tells one file from another."""
        end = os.pread(self._file.fileno(), min(written, MARKED), max(0, written - MARKED))
        return hashlib.blake2b(end, digest_size=8).hexdigest()

    def _length(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    async def write(self, documents: Sequence[Document]) -> str:
        """The note is the length of the file, and its mark."""
        try:
            self._file.write(lines(documents))
            self._file.flush()
            os.fsync(self._file.fileno())
            written = self._file.tell()
            return f"{written} {self._mark(written)}"
        except OSError as error:
            raise _broken(str(self._path), error) from error

    def close(self) -> None:
        try:
            self._file.close()
        except OSError:  # what it could not write before, it cannot now, and has been told
            return


class Stream:
    """A pipe, a terminal or a device, which cannot be cut: after a crash the last few documents may come again."""

    def __init__(self, path: Path | None, consumer: str) -> None:
        self._path = path
        self._name = str(path or "stdout")
        self.consumer = consumer
        self._fd = sys.stdout.fileno()

    @property
    def manner(self) -> Manner:
        return Manner.QUIET if os.isatty(self._fd) else beside(self._fd)

    def open(self) -> None:
        if self._path is not None:
            try:
                self._fd = os.open(self._path, os.O_WRONLY)
            except OSError as error:
                raise Refused(f"opening {self._path} for the documents: {_remedy(error, self._path)}") from error

    def check(self, note: str | None) -> None:
        return

    def go_on(self, note: str | None) -> bool:
        return True

    async def write(self, documents: Sequence[Document]) -> str:
        """A reader that is slow holds up nothing but this: never more is written than there is room for."""
        rest = memoryview(lines(documents))
        try:
            while rest:
                if not select.select([], [self._fd], [], 0)[1]:
                    await self._room()
                rest = rest[os.write(self._fd, rest[: select.PIPE_BUF]) :]
        except OSError as error:
            raise _broken(self._name, error) from error
        return ""

    async def _room(self) -> None:
        loop, room = asyncio.get_running_loop(), asyncio.Event()
        loop.add_writer(self._fd, room.set)
        try:
            await room.wait()
        finally:
            loop.remove_writer(self._fd)

    def close(self) -> None:
        if self._path is not None:
            os.close(self._fd)


def opened(output: str) -> Output:
    """The output that `-o` names, by what is there."""
    path = Path(output).resolve()
    if output in ("-", "/dev/stdout"):
        return Stream(None, "stdout")
    if path.exists() and not path.is_file() and not path.is_dir():
        return Stream(path, f"stream:{path}")
    return JsonLinesFile(path)


def _remedy(error: OSError, path: Path) -> str:
    match error.errno:
        case errno.EISDIR:
            return "it is a directory; give the path of a file"
        case errno.ENOENT:
            return f"there is no directory {path.parent}; make it or give another -o"
        case errno.ENOTDIR:
            return f"{path.parent} is not a directory; give another -o"
        case _:
            return f"{error.strerror}; mend that or give another -o"


def _broken(name: str, error: OSError) -> OutputError:
    if isinstance(error, BrokenPipeError):
        return ReaderGone(f"writing documents to {name}: whoever read them has gone; the checkpoint is kept")
    return OutputError(
        f"writing documents to {name}: {error.strerror}; all is kept: mend that and give the same command again"
    )


def lines(documents: Sequence[Document]) -> bytes:
    """A document a line. A line break within a JSON document is white space between its parts, and becomes a space."""
    return b"".join(document.translate(BREAKS) + b"\n" for document in documents)


BREAKS = bytes.maketrans(b"\r\n", b"  ")


def parsed(note: str | None) -> tuple[int, str]:
    """The length that was written, and its mark."""
    written, mark, *_ = [*(note or "0").split(" "), ""]
    return int(written), mark
