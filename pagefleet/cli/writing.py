"""A crawl's documents into one output: every document once, however often the writing was interrupted.

The consumer's acknowledgement in Redis carries the length that the file had at that document. Whoever goes on cuts
the file there first: what was written behind it, half a line perhaps, comes again with the same ids.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Self

from pagefleet.cli.ending import Refused
from pagefleet.cli.output import Output, parsed
from pagefleet.fleet import Handle
from pagefleet.keys import WHOLE
from pagefleet.page import BEFORE_ALL, Document
from pagefleet.results import split_id
from pagefleet.tasks import ended


class Writing:
    """One crawl's documents on their way into one output.

    Inside the block the output is this process' own, but nothing is changed before `begin`.
    """

    def __init__(self, handle: Handle, output: Output) -> None:
        self._handle = handle
        self._output = output
        self._after: dict[str, str] = {}
        """The last id of each slice; none at all: nothing was acknowledged ever."""
        self._note: str | None = None
        self._written: dict[str, int] = {}
        """Documents of each slice."""
        self._is_known = True
        self._busy = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._output.open()
        try:
            self._find_place(await self._handle.positions(self._output.consumer))
            self._output.check(self._note)
        except BaseException:
            self._output.close()
            raise
        return self

    def _find_place(self, positions: Mapping[str, tuple[str, str]]) -> None:
        """Slices are written and acknowledged one after the other, so what is acknowledged of all of them ends where
        the longest note says. If Redis forgot some of that and not all, their counts are not the sum that it has."""
        self._after = {number: document for number, (document, _) in positions.items()}
        notes = {number: note for number, (_, note) in positions.items()}
        self._note = max(notes.values(), key=lambda note: parsed(note)[0], default=None)
        self._written = {number: _counted(note)[0] for number, note in notes.items()}
        self._is_known = sum(self._written.values()) == _counted(self._note or "")[1]

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._output.close()

    async def begin(self) -> bool:
        """Get ready to write; answers whether it goes on with what was written before.

        Raises `Refused` when what it has to begin with is no longer there.
        """
        if not self._is_known or not self._output.go_on(self._note):
            self._after, self._written = {}, {}
        if not self._after:
            if (await self._handle.status()).trimmed != BEFORE_ALL:
                raise Refused(
                    f"writing all documents of {self._handle.id}: the first of them have been read, and dropped to "
                    f"make room; crawl again under another --name"
                )
            self._output.go_on(None)
            await self._handle.forget(self._output.consumer)  # a consumer only goes forwards
            await self._handle.register(self._output.consumer, note="0")  # nothing is dropped before it is written
        return any(split_id(document)[1] != BEFORE_ALL for document in self._after.values())

    async def copy(self, *, is_following: bool = True) -> None:
        """Write all documents, to the end of the crawl; or only what is there now."""
        async with aclosing(self._handle.batches(self._after.values(), is_following=is_following)) as batches:
            async for batch in batches:
                async with self._busy:
                    note = await self._output.write(batch)
                    await self._note_down(batch, note)

    async def _note_down(self, batch: Sequence[Document], note: str) -> None:
        last = batch[-1].id
        number, _ = split_id(last)
        self._after[number] = last
        self._written[number] = self._written.get(number, 0) + len(batch)
        if note and number != WHOLE:
            note = f"{note} {self._written[number]} {sum(self._written.values())}"
        await self._handle.acknowledge(self._output.consumer, last, note)

    async def finish(self, copying: asyncio.Task[None]) -> None:
        """End a task that copies, between two writes, and write what is there."""
        async with self._busy:
            await ended(copying)
        await self.copy(is_following=False)


def _counted(note: str) -> tuple[int, int]:
    """Documents that were written of the note's slice, and of all; only notes of slices tell."""
    counts = note.split(" ")[2:4]
    return (int(counts[0]), int(counts[1])) if counts else (0, 0)
