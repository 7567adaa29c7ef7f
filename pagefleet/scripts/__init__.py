"""The atomic steps: one `.lua` file each, and here its one typed Python signature.

A step is sent again, the same bytes, for as long as the answer is only that Redis cannot answer now
(`connection.patiently`): each script tells a repetition from a first time.
"""

import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from importlib.resources import files
from itertools import chain, count
from typing import Any, Literal

from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import NoScriptError, ResponseError

from pagefleet import keys as key
from pagefleet.connection import Line, is_out_of_memory, packed, patiently
from pagefleet.keys import SliceKeys
from pagefleet.page import Checkpoint, Quarantined, encode
from pagefleet.slices import Bounds

Commitment = Literal[
    "committed",
    "fenced",
    "conflict",
    "circle",
    "full",
    "gone",
    "paused",
    "cancelled",
    "failed",
    "finished",
    "queued",
    "snoozed",
]
Ending = Literal["", "last", "yield"]
Verb = Literal["pause", "resume", "cancel", "replay"]


class Part(Struct, frozen=True):
    """One commit: the whole of a page, or a part of a large one, with the checkpoint before and after it."""

    commit: str
    """Names this commit; the same for each time that it is sent."""
    before: Checkpoint
    after: Checkpoint
    ending: Ending
    arguments: Sequence[bytes]
    """Documents, each followed by its key when `fields` is 2."""
    fields: int = 1
    total: int | None = None
    digest: str = ""
    doubt: str = ""
    notice: str = ""
    quarantined: Quarantined | None = None
    size: int = 0
    status: int = 200
    milliseconds: int = 0


class Split(Struct, frozen=True):
    """The end of a slice of which nothing is delivered: `parts` are the bounds of its children."""

    commit: str
    """As in a `Part`."""
    at: Checkpoint
    parts: Sequence[Bounds]
    total: int | None = None


class Committed(Struct, frozen=True):
    """What came of a commit: the answer, the slice's state after it, documents delivered, and in the stream."""

    answer: Commitment
    state: str
    documents: int
    backlog: int


class Lease(Struct, frozen=True):
    """The right to go on from `checkpoint`, for whoever shows `fence`."""

    fence: str
    checkpoint: Checkpoint


class Scripts:
    """Every script, on one Redis. `patience` is how many seconds a step may be sent again and again (inf: for ever)."""

    def __init__(self, redis: Redis, patience: float) -> None:
        self._redis = redis
        self._line = Line(redis)
        self._patience = patience

    async def _run(
        self, name: str, keys: Sequence[str], *args: bytes | str | float, documents: Sequence[bytes] = ()
    ) -> Any:
        call = self._made(name, keys, *args, documents=documents)
        return await patiently(call, f"the {name} script", self._patience)

    def _made(
        self, name: str, keys: Sequence[str], *args: bytes | str | float, documents: Sequence[bytes] = ()
    ) -> Callable[[], Awaitable[Any]]:
        """A call of a script, to be made as often as need be."""
        text = self._script(name)
        command = packed(b"EVALSHA", digest(text), len(keys), *keys, *args, documents=documents)

        async def call() -> Any:
            try:
                return await self._line.call(command)
            except NoScriptError:
                await self._redis.script_load(text)
                return await self._line.call(command)

        return call

    def _script(self, name: str) -> str:
        return source(name)

    async def enqueue(
        self, slice_: SliceKeys, description: str, fingerprint: str, backlog: int
    ) -> Literal["new", "same", "other"]:
        """A crawl comes into being. `backlog` 0: no limit."""
        keys = [*slice_.all(), *key.of_crawl(slice_.crawl)]
        args = (slice_.tag, slice_.crawl, description, fingerprint, backlog, secrets.token_hex(8))
        answer: Literal["new", "same", "other"] = _text(await self._run("enqueue", keys, *args))
        return answer

    async def lease(self, slice_: SliceKeys, lease: int, name: str, seconds: float, worker: str) -> Lease | None:
        """The sole right to advance the slice; None when this job is not, or no longer, the one to have it.

        `name`, random, becomes the fence. It is another each time that this is sent: what got stuck on its way and
        comes when Redis has gone back must not bring a fence back that somebody shows (see lease.lua).
        """
        fences = (f"{name}.{times}" if times else name for times in count())

        async def sent() -> tuple[str, Any]:
            fence = next(fences)
            args = (slice_.tag, lease, fence, _ms(seconds), worker)
            return fence, await self._made("lease", slice_.all(), *args)()

        fence, answer = await patiently(sent, "the lease script", self._patience)
        if answer[0] != b"leased":
            return None
        page, index, cursor, documents, total, digest = answer[1:]
        known = int(total) if total else None
        return Lease(fence, Checkpoint(int(page), int(index), json.loads(cursor), int(documents), known, _text(digest)))

    async def commit(self, slice_: SliceKeys, part: Part, fence: str, seconds: float, worker: str) -> Committed:
        """Documents and checkpoint together, or nothing."""
        before, after, lost = part.before, part.after, part.quarantined
        args = (
            *(slice_.tag, fence, part.commit),
            *(before.page, before.index, encode(before.cursor)),
            *(after.page, after.index, encode(after.cursor)),
            *(_ms(seconds), part.ending, "" if part.total is None else part.total, part.digest, part.size),
            *(part.status, part.milliseconds, worker, part.doubt),
            part.notice.encode(errors="backslashreplace"),  # it may quote what a source sent
            *((encode(lost.cursor), lost.reason.encode(errors="backslashreplace")) if lost else ("", "")),
            part.fields,
        )
        answer, state, documents, backlog = await self._run("commit", slice_.all(), *args, documents=part.arguments)
        return Committed(_text(answer), _text(state), documents, backlog)

    async def split(
        self, slice_: SliceKeys, split: Split, fence: str, worker: str
    ) -> tuple[Commitment | Literal["other"], Any]:
        """Children in place of a slice that has delivered nothing; answers what came of it, and the plan that there is:
        the bounds of all children. `other`: it was there before, so split by that one."""
        children = [SliceKeys(slice_.crawl, f"{slice_.number}.{n}") for n, _ in enumerate(split.parts)]
        keys = chain.from_iterable(child.own() for child in children)
        total = "" if split.total is None else split.total
        at = split.at
        args = (slice_.tag, fence, split.commit, at.page, at.index, encode(at.cursor), total, worker)
        bounds = [encode(part) for part in split.parts]
        answer, plan = await self._run("split", [*slice_.all(), key.slices(slice_.crawl), *keys], *args, *bounds)
        return _text(answer), json.loads(plan or "null")

    async def renew(self, slice_: SliceKeys, fence: str, seconds: float, fault: str = "") -> str:
        """The lease lasts from now again; answers 'running', or what the slice is instead.

        `fault` is why the page that is being fetched is tried again.
        """
        words = fault.encode(errors="backslashreplace")
        answer: str = _text(await self._run("renew", slice_.all(), slice_.tag, fence, _ms(seconds), words))
        return answer

    async def release(
        self, slice_: SliceKeys, fence: str, state: str, seconds: float = 0.0, reason: str = ""
    ) -> Literal["released", "fenced"]:
        """Give the lease back: the slice is queued again, snoozes for `seconds`, or has failed."""
        words = reason.encode(errors="backslashreplace")  # they may quote what a source sent
        args = (slice_.tag, fence, state, _ms(seconds), words)
        answer: Literal["released", "fenced"] = _text(await self._run("release", slice_.all(), *args))
        return answer

    async def rescue(self, slice_: SliceKeys) -> str:
        """Look at a slice that is due, and put it back into the queue if nobody advances it."""
        answer: str = _text(await self._run("rescue", slice_.all(), slice_.tag))
        return answer

    async def steer(self, slice_: SliceKeys, verb: Verb) -> str:
        """A person's word; answers the state after."""
        answer: str = _text(await self._run("steer", slice_.all(), slice_.tag, verb))
        return answer

    async def delete(self, slice_: SliceKeys, incarnation: str) -> Literal["deleted", "other"]:
        """Nothing is left of a slice, nor of its crawl; `other`: another one has the name by now, and stays."""
        keys = [*slice_.all(), *key.of_crawl(slice_.crawl)]
        args = (slice_.tag, slice_.crawl, slice_.number, incarnation)
        answer: Literal["deleted", "other"] = _text(await self._run("delete", keys, *args))
        return answer

    async def acknowledge(
        self, slice_: SliceKeys, consumer: str, document: str, note: str = "", incarnation: str = ""
    ) -> None:
        """A consumer is done with all documents up to this id, and leaves itself a note. It only goes forwards. Of
        another incarnation than this, it changes nothing."""
        args = (slice_.tag, consumer, document, note)

        async def told() -> Any:
            try:
                return await self._made("acknowledge", slice_.all(), *args, 0, incarnation)()
            except ResponseError as error:
                if not is_out_of_memory(error):
                    raise
                return await self._made("acknowledge", slice_.all(), *args, 1, incarnation)()

        await patiently(told, "the acknowledge script", self._patience)

    async def token(
        self, origin: str, interval: float, most: int, life: float, answered: float | None = None
    ) -> tuple[int, float, float]:
        """(tokens, seconds, seconds): so many for so long; none until then; or -1 tokens, as many as you like for so
        long. And how long the source has been down, 0: it is not; `answered` seconds ago it was not."""
        args = (interval * 1000, most, _ms(life), _ago(answered))
        tokens, milliseconds, silence = await self._run("token", [key.budget(origin)], *args)
        return tokens, milliseconds / 1000, silence / 1000

    async def retry(
        self, origin: str, tag: str, answered: float | None = None, *, is_last: bool = False
    ) -> tuple[float, float]:
        """(seconds, seconds): 0, a request may be sent again that met a source which looks as if it were down; or so
        long nobody asks. And how long it has been down. `is_last`: it is not to be sent again, and the question is
        whether the slice's crawl may fail; where others have no answer either, it waits as well."""
        args = (_ago(answered), tag, int(is_last))
        wait, silence = await self._run("retry", [key.budget(origin)], *args)
        return wait / 1000, silence / 1000

    async def block(self, origin: str, seconds: float) -> None:
        """The source wants no requests from anybody for so long."""
        await self._run("block", [key.budget(origin)], _ms(seconds))


WITHOUT_PRELUDE = frozenset({"token", "retry", "block"})


@cache
def source(name: str) -> str:
    """The text of a script as it is sent."""
    here = files(__name__)
    prelude = "" if name in WITHOUT_PRELUDE else (here / "prelude.lua").read_text()
    return prelude + (here / f"{name}.lua").read_text()


@cache
def digest(text: str) -> str:
    """By which Redis knows a script."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _ago(seconds: float | None) -> int | str:
    return "" if seconds is None else int(seconds * 1000)


def _ms(seconds: float) -> int:
    return max(0, round(seconds * 1000))


def _text(answer: bytes) -> Any:
    """Any, for what the script may answer is in its signature."""
    return answer.decode()
