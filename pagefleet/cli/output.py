"""Documents into a file as JSON Lines: every document once, however often the writing was interrupted.

The consumer's acknowledgement in Redis carries the length that the file had at that document. Whoever goes on cuts
the file there first: what was written behind it, half a line perhaps, comes again with the same ids.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from pagefleet.errors import PagefleetError
from pagefleet.fleet import Handle
from pagefleet.page import Document


class OutputError(PagefleetError):
    """The output cannot be written."""


class Output(Protocol):
    """Where documents go. `name` is the consumer's; `open` takes the note of its last acknowledgement."""

    name: str

    def open(self, note: str | None) -> Self: ...
    def write(self, documents: Sequence[Document]) -> str:
        """Have these written for good, and answer the note to acknowledge them with."""
        ...

    def close(self) -> None: ...


class JsonLinesFile:
    """A file that only this crawl writes."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.name = f"file:{self.path}"
        self._file: BinaryIO | None = None

    def open(self, note: str | None) -> Self:
        """Cut the file to what is acknowledged; refuses one that holds anything else than that."""
        written = int(note or 0)
        try:
            length = self.path.stat().st_size if self.path.exists() else 0
            if length and note is None:
                raise OutputError(
                    f"writing {self.path}: it is there already, and not from this crawl; move it or give another -o"
                )
            if length < written:
                raise OutputError(
                    f"writing {self.path}: this crawl wrote {written} bytes to it, and it has {length} now; put it back, or "
                    f"crawl under another --name"
                )
            self._file = self.path.open("r+b" if self.path.exists() else "x+b")
            self._file.truncate(written)
            self._file.seek(written)
        except OSError as error:
            raise OutputError(f"writing {self.path}: {error.strerror}; give another -o") from error
        return self

    def write(self, documents: Sequence[Document]) -> str:
        """The note is the length of the file."""
        assert self._file is not None
        try:
            self._file.write(lines(documents))
            self._file.flush()
            os.fsync(self._file.fileno())
            return str(self._file.tell())
        except OSError as error:
            raise OutputError(
                f"writing {self.path}: {error.strerror}; the crawl is kept: make room and give the same command again"
            ) from error

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class Stdout:
    """A stream that cannot be cut: after a crash the last few documents may come again."""

    name = "stdout"

    def open(self, note: str | None) -> Self:
        return self

    def write(self, documents: Sequence[Document]) -> str:
        sys.stdout.buffer.write(lines(documents))
        sys.stdout.buffer.flush()
        return ""

    def close(self) -> None: ...


def lines(documents: Sequence[Document]) -> bytes:
    """A document a line. A line break within a JSON document is white space between its parts, and becomes a space."""
    return b"".join(document.translate(BREAKS) + b"\n" for document in documents)


BREAKS = bytes.maketrans(b"\r\n", b"  ")


class Writing:
    """One crawl's documents on their way into one output."""

    def __init__(self, handle: Handle, output: str) -> None:
        self._handle = handle
        self._output: Output = Stdout() if output == "-" else JsonLinesFile(Path(output))
        self.documents = 0

    async def __aenter__(self) -> Self:
        position = await self._handle.position(self._output.name)
        self._after, note = position or (None, None)
        self._output.open(note)
        if position is None:
            await self._handle.acknowledge(self._output.name, "0-0", "0")  # nothing is dropped before it is written
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._output.close()

    async def copy(self, *, is_following: bool = True) -> None:
        """All documents, to the end of the crawl; or only what is there now."""
        async for batch in self._handle.batches(self._after, is_following=is_following):
            note = self._output.write(batch)
            self._after = batch[-1].id
            self.documents += len(batch)
            await self._handle.acknowledge(self._output.name, self._after, note)


async def copy(handle: Handle, output: str) -> None:
    """Read a crawl into an output, to its end."""
    await handle.status()
    async with Writing(handle, output) as writing:
        await writing.copy()
