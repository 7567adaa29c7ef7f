"""The commit protocol as a model: what Redis knows of one slice, and what each script makes of it, step by step.

It has what safety and liveness hang on, and leaves out what they do not: documents are pages, times are left to chance
(a lease may run out at any moment), and of arq's job there is only whether it waits. `tests/redis/test_model.py` holds
each of these functions to the `.lua` file that it is called after.

A page knows the page that its fetcher saw before it. In a stream that a single worker could have written, that is the
page that stands before it; whoever puts together pages of two walks loses what moved between them.
"""

from dataclasses import dataclass
from typing import NamedTuple

QUEUED, RUNNING, FINISHED, FAILED = "queued", "running", "finished", "failed"
Fence = tuple[int, int]
"""(name, times sent before); NOBODY in a slice that is not leased."""
NOBODY: Fence = (0, 0)


@dataclass(frozen=True)
class Guards:
    """What the scripts and the worker take care of; a mutant lacks one of these."""

    has_random_fence: bool = True
    """Else the number of the lease is the fence: it grows, and is handed out again after Redis went back."""
    has_fence_a_request: bool = True
    """Each time that a lease is asked for, another; else one for all times."""
    compares_fence: bool = True
    compares_page: bool = True
    compares_cursor: bool = True
    knows_last_commit: bool = True
    clears_leftovers: bool = True
    is_documents_first: bool = True
    """Else the checkpoint is written before the documents."""
    has_explicit_ids: bool = True
    """Else Redis makes them (`*`), from its clock."""
    gives_up_on_conflict: bool = True
    """Else the worker adopts Redis' position, and sends the page that it holds."""


class Page(NamedTuple):
    """What was fetched: a page of the source as it was then, behind a page as the fetcher knew it (0: the first)."""

    number: int
    version: int
    behind: int


class Entry(NamedTuple):
    id: int
    page: Page


class Redis(NamedTuple):
    """The slice's row, its stream, and whether arq has its job."""

    state: str = QUEUED
    fence: Fence = NOBODY
    leases: int = 1
    has_job: bool = True
    page: int = 1
    cursor: int = 0
    commit: tuple[Fence, int] | None = None
    stream: tuple[Entry, ...] = ()


class Message(NamedTuple):
    """A request on its way. `number` is the lease's, or the page's."""

    kind: str
    fence: Fence
    number: int
    cursor: int = 0
    page: Page = Page(0, 0, 0)
    following: int = 0
    """The cursor behind the page."""
    ending: str = ""


class Position(NamedTuple):
    page: int
    cursor: int
    behind: int


def visible(redis: Redis, guards: Guards) -> tuple[Entry, ...]:
    """What readers see: not what a torn write left behind the checkpoint, as far as ids tell."""
    if not guards.has_explicit_ids:
        return redis.stream
    return tuple(entry for entry in redis.stream if entry.id < redis.page)


def lease(redis: Redis, message: Message, guards: Guards) -> tuple[Redis, Position | None]:
    """lease.lua"""
    fence = message.fence
    if redis.fence[0] == fence[0]:
        if redis.fence[1] > fence[1]:
            return redis, None
        redis = redis._replace(fence=fence)
    elif redis.leases != message.number or redis.state != QUEUED:
        return redis, None
    else:
        redis = redis._replace(state=RUNNING, fence=fence, has_job=False)
    before = visible(redis, guards)
    return redis, Position(redis.page, redis.cursor, before[-1].page.version if before else 0)


def commit(redis: Redis, message: Message, guards: Guards, stamp: int) -> tuple[list[Redis], str]:
    """commit.lua: what Redis is after each of its writes, and the answer. `stamp` is the id that `*` stands for."""
    page, name = message.page, (message.fence, message.page.number)
    if guards.knows_last_commit and redis.commit == name:
        return [redis], "committed"
    if guards.compares_fence and redis.fence != message.fence:
        return [redis], "fenced"
    is_elsewhere = guards.compares_page and redis.page != message.number
    if is_elsewhere or (guards.compares_cursor and redis.cursor != message.cursor):
        return [redis], "conflict"
    if redis.state != RUNNING:
        return [redis], redis.state
    entry = Entry(message.number if guards.has_explicit_ids else stamp, page)
    kept = visible(redis, guards) if guards.clears_leftovers else redis.stream
    if kept and kept[-1].id >= entry.id:
        return [redis], "error"  # XADD refuses the id
    written = redis._replace(stream=(*kept, entry))
    moved = redis._replace(page=message.number + 1, cursor=message.following, commit=name)
    both = moved._replace(stream=written.stream)
    return [written if guards.is_documents_first else moved, _ended(both, message.ending)], "committed"


def _ended(redis: Redis, ending: str) -> Redis:
    if ending == "last":
        return redis._replace(state=FINISHED, fence=NOBODY)
    return _enqueued(redis) if ending == "yield" else redis


def _enqueued(redis: Redis) -> Redis:
    """enqueue_job of prelude.lua"""
    return redis._replace(state=QUEUED, fence=NOBODY, leases=redis.leases + 1, has_job=True)


def release(redis: Redis, fence: Fence, state: str = QUEUED) -> Redis:
    """release.lua"""
    if redis.fence != fence or redis.state != RUNNING:
        return redis
    return _enqueued(redis) if state == QUEUED else redis._replace(state=state, fence=NOBODY)


def rescue(redis: Redis) -> Redis:
    """rescue.lua, where the lease ran out or the job is lost"""
    return _enqueued(redis) if redis.state in (RUNNING, QUEUED) else redis
