"""Who acts on a slice, and what may go wrong: workers, the network, a scheduler, a Redis that goes back, and a source
that changes. `moves` answers all that can happen next.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.model.protocol import (
    FAILED,
    NOBODY,
    QUEUED,
    RUNNING,
    Fence,
    Guards,
    Message,
    Page,
    Position,
    Redis,
    commit,
    lease,
    release,
    rescue,
)

LOST, LATE, CRASH, STEAL, BACK, DRIFT = range(6)
"""Faults: a reply gets lost; a request is sent again while the first is still on its way, and both arrive; a worker
dies; a lease runs out while its worker lives; Redis goes back to any earlier state, also to one in the middle of a
script; the source changes."""
KINDS = 6


@dataclass(frozen=True)
class World:
    """How much there is of everything."""

    pages: int = 3
    workers: int = 2
    faults: int = 2
    """In all; and of each kind at most one, or what `most` says."""
    most: tuple[int, ...] = (1,) * KINDS
    yields: bool = True
    """A worker may give its turn to others behind any page."""
    is_torn: bool = True
    """Redis may go back into the middle of a script."""
    has_opaque_cursors: bool = False
    """A cursor says which version of the source it is from; else it is a page's number, and says nothing of that."""
    guards: Guards = field(default_factory=Guards)

    def cursor(self, page: Page) -> int:
        """Behind a page."""
        return 100 * page.number + page.version if self.has_opaque_cursors else page.number


class Worker(NamedTuple):
    """What a worker believes. `number` is its lease's; `page` its position, `held` the page that it has sent there."""

    doing: str = "idle"
    fence: Fence = NOBODY
    number: int = 0
    at: Position = Position(0, 0, 0)
    sent: Message | None = None


IDLE = Worker()


class State(NamedTuple):
    redis: Redis
    workers: tuple[Worker, ...]
    network: tuple[Message, ...] = ()
    saved: Redis | None = None
    """The state that Redis will go back to, if it does."""
    version: int = 1
    names: int = 0
    """Of fences, so far."""
    left: tuple[int, ...] = ()
    """Faults, by kind; the last number: in all."""
    went_back: bool = False
    stamp: int = 0
    ids: tuple[tuple[int, int], ...] = ()
    """Page numbers, and the ids that Redis has made for them."""


class Move(NamedTuple):
    """Something that can happen. `what` has the words for it, `subject` whom it concerns."""

    what: str
    after: State
    is_fault: bool = False
    broken: str = ""
    """What must not be, and is so by this move."""
    subject: Message | Fence | None = None


def start(world: World) -> State:
    return State(Redis(), (IDLE,) * world.workers, left=(*world.most, world.faults))


def moves(world: World, state: State) -> Iterator[Move]:
    """All that can happen next."""
    for place, worker in enumerate(state.workers):
        if place == 0 or state.workers[place - 1] != worker:  # two that are alike are one
            yield from _of_worker(world, state, place, worker)
    for message in dict.fromkeys(state.network):
        yield from _of_message(world, state, message)
    yield from _of_scheduler(state)
    if state.saved is not None and _may(state, BACK):
        yield Move(
            "go back", _spent(state, BACK)._replace(redis=state.saved, saved=None, went_back=True), is_fault=True
        )


def _may(state: State, kind: int) -> bool:
    return state.left[-1] > 0 and state.left[kind] > 0


def _spent(state: State, kind: int) -> State:
    left = list(state.left)
    left[kind] -= 1
    left[-1] -= 1
    return state._replace(left=tuple(left))


def _with(state: State, place: int, worker: Worker, *sent: Message) -> State:
    """The order of workers and of messages says nothing."""
    workers = tuple(sorted((*state.workers[:place], worker, *state.workers[place + 1 :]), key=_order))
    return state._replace(workers=workers, network=tuple(sorted((*state.network, *sent))))


def _order(worker: Worker) -> tuple[object, ...]:
    return worker.fence, worker.doing, worker.number, worker.at, worker.sent or ()


def _of_worker(world: World, state: State, place: int, worker: Worker) -> Iterator[Move]:
    match worker.doing:
        case "idle":
            if state.redis.has_job and state.redis.state == QUEUED:
                yield from _taken(world, state, place)
            return
        case "fetching":
            yield from _fetched(world, state, place, worker)
        case _:
            yield from _sent_again(world, state, place, worker)
    if _may(state, CRASH):
        gone = _with(_spent(state, CRASH), place, IDLE)
        yield Move("crash", gone, is_fault=True, subject=worker.fence)
        if worker.sent and worker.sent in state.network:  # it died just before it sent this
            unsent = list(gone.network)
            unsent.remove(worker.sent)
            yield Move("crash unsent", gone._replace(network=tuple(unsent)), is_fault=True, subject=worker.sent)


def _taken(world: World, state: State, place: int) -> Iterator[Move]:
    """arq hands the job to an idle worker, which asks for the lease: `Slice.lease`."""
    number, without = state.redis.leases, state.redis._replace(has_job=False)
    fence = (state.names + 1 if world.guards.has_random_fence else number, 0)
    request = Message("lease", fence, number)
    after = _with(state, place, Worker("leasing", fence, number, sent=request), request)
    after = after._replace(redis=without, names=state.names + 1)
    for saved in _worth_saving(world, state, [without]):
        yield Move(
            "take" if saved is None else "take, saved", after._replace(saved=saved or state.saved), subject=request
        )


def _fetched(world: World, state: State, place: int, worker: Worker) -> Iterator[Move]:
    """`Slice.commit`: a page is fetched and sent; before it was, the source may have changed."""
    page, cursor, behind = worker.at
    endings = ["last"] if page == world.pages else ["", "yield"] if world.yields else [""]
    for has_changed in (False, True) if _may(state, DRIFT) else (False,):
        then = _spent(state, DRIFT)._replace(version=state.version + 1) if has_changed else state
        for ending in endings:
            fetched = Page(page, then.version, behind)
            request = Message("commit", worker.fence, page, cursor, fetched, world.cursor(fetched), ending)
            after = _with(then, place, worker._replace(doing="committing", sent=request), request)
            yield Move("fetch", after, is_fault=has_changed)


def _sent_again(world: World, state: State, place: int, worker: Worker) -> Iterator[Move]:
    """`patiently`: no answer came in time. The first request has gone, or is still on its way."""
    assert worker.sent is not None
    is_early = worker.sent in state.network
    if is_early and not _may(state, LATE):
        return
    request = worker.sent
    if request.kind == "lease" and world.guards.has_fence_a_request and world.guards.has_random_fence:
        request = request._replace(fence=(request.fence[0], request.fence[1] + 1))
    then = _spent(state, LATE) if is_early else state
    after = _with(then, place, worker._replace(fence=request.fence, sent=request), request)
    yield Move("send again", after, is_fault=is_early)


def _of_message(world: World, state: State, message: Message) -> Iterator[Move]:
    """A request arrives and is carried out; its reply is heard by whoever still waits for it, or gets lost."""
    network = list(state.network)
    network.remove(message)
    steps, answer = _carried_out(world, state, message)
    arrived = state._replace(redis=steps[-1], network=tuple(network))
    broken = ""
    if message.kind == "commit" and steps[-1] is not state.redis and not world.guards.has_explicit_ids:
        arrived, broken = _noted(arrived, message)
    waiting = next((place for place, worker in enumerate(state.workers) if worker.sent == message), None)
    for saved in _worth_saving(world, state, steps):
        then = arrived._replace(saved=saved) if saved is not None else arrived
        what = message.kind if saved is None else f"{message.kind}, {'torn' if saved is steps[0] else 'saved'}"
        if waiting is None:
            yield Move(what, then, broken=broken, subject=message)
            continue
        yield _heard(world, then, waiting, answer, Move(what, then, broken=broken, subject=message))
        if _may(state, LOST):
            yield Move(f"{what}, unheard", _spent(then, LOST), is_fault=True, broken=broken, subject=message)


def _carried_out(world: World, state: State, message: Message) -> tuple[list[Redis], Position | str | None]:
    if message.kind == "lease":
        redis, position = lease(state.redis, message, world.guards)
        return [redis], position
    return commit(state.redis, message, world.guards, state.stamp + 1)


def _noted(state: State, message: Message) -> tuple[State, str]:
    """The id that Redis made for a page, which readers have seen from now on."""
    ids, number, made = dict(state.ids), message.page.number, state.stamp + 1
    broken = f"page {number} had the id {ids[number]}, and now has {made}" if number in ids else ""
    ids[number] = made
    return state._replace(stamp=made, ids=tuple(sorted(ids.items()))), broken


def _worth_saving(world: World, state: State, steps: list[Redis]) -> list[Redis | None]:
    """What Redis may go back to later: the state before, or, torn, in the middle of a script."""
    if state.saved is not None or not _may(state, BACK) or steps[-1] == state.redis:
        return [None]
    return [None, state.redis, *(steps[:1] if world.is_torn and len(steps) > 1 else [])]


def _heard(world: World, state: State, place: int, answer: Position | str | None, move: Move) -> Move:
    """What the worker makes of an answer: `advance` and `Slice.commit`."""
    worker = state.workers[place]
    assert worker.sent is not None
    match answer:
        case Position():
            return move._replace(after=_with(state, place, worker._replace(doing="fetching", at=answer, sent=None)))
        case "committed":
            behind = Position(worker.at.page + 1, worker.sent.following, worker.sent.page.version)
            following = worker._replace(doing="fetching", at=behind, sent=None)
            return move._replace(after=_with(state, place, IDLE if worker.sent.ending else following))
        case "conflict":
            after = _gives_up(world, state, place, worker)
            broken = move.broken or ("" if state.went_back else "conflict, and Redis has forgotten nothing")
            return move._replace(after=after, broken=broken)
        case "error":
            failed = release(state.redis, worker.fence, FAILED)
            return move._replace(after=_with(state, place, IDLE)._replace(redis=failed))
        case _:
            return move._replace(after=_with(state, place, IDLE))


def _gives_up(world: World, state: State, place: int, worker: Worker) -> State:
    """The iterator is dropped, and the slice goes to whoever comes; or, in a mutant, goes on where Redis is."""
    if world.guards.gives_up_on_conflict:
        return _with(state, place, IDLE)._replace(redis=release(state.redis, worker.fence))
    assert worker.sent is not None
    page, cursor = state.redis.page, state.redis.cursor
    request = worker.sent._replace(number=page, cursor=cursor)
    return _with(state, place, worker._replace(at=worker.at._replace(page=page, cursor=cursor), sent=request), request)


def _of_scheduler(state: State) -> Iterator[Move]:
    """A rescue. That of a slice whose worker lives is a fault: it was frozen for longer than a lease."""
    redis = state.redis
    if redis.state == RUNNING:
        lives = any(worker.fence == redis.fence for worker in state.workers)
    elif redis.state == QUEUED and not redis.has_job:
        lives = any(worker.doing == "leasing" and worker.number == redis.leases for worker in state.workers)
    else:
        return
    if not lives or _may(state, STEAL):
        then = _spent(state, STEAL) if lives else state
        yield Move("rescue", then._replace(redis=rescue(redis)), is_fault=lives)
