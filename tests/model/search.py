"""Breadth first through all that can happen in a world, to the shortest way that breaks the promise."""

from dataclasses import dataclass

from tests.model.protocol import FINISHED, NOBODY, Fence, Message, Redis, visible
from tests.model.world import BACK, State, Worker, World, moves, start

NAMELESS: Fence = (-1, 0)


@dataclass(frozen=True)
class Found:
    """What is wrong (nothing, if the words are none), how it comes about, and how many states were seen."""

    wrong: str
    way: tuple[str, ...]
    states: int


def search(world: World) -> Found:
    """Every state that can be reached keeps the promise, and from each the end can be reached without another fault."""
    first = start(world)
    numbers, order, came = {first: 0}, [first], [(0, "")]
    before: list[list[int]] = [[]]  # without a fault
    place = 0
    while place < len(order):
        for move in moves(world, order[place]):
            after = plain(world, move.after)
            number = numbers.setdefault(after, len(order))
            if number == len(order):
                order.append(after)
                came.append((place, move.what))
                before.append([])
            wrong = move.broken or broken(world, after)
            if wrong:
                return Found(wrong, (*_way(came, place), move.what), len(order))
            if not move.is_fault:
                before[number].append(place)
        place += 1
    stuck = _stuck(order, before)
    if stuck is None:
        return Found("", (), len(order))
    return Found(f"the end is out of reach, {order[stuck].redis.state}", _way(came, stuck), len(order))


def broken(world: World, state: State) -> str:
    """What is wrong with the stream: each page once, in order, behind the page that its fetcher saw before it."""
    redis = state.redis
    entries = visible(redis, world.guards)
    numbers = [entry.page.number for entry in entries]
    if numbers != list(range(1, redis.page)):
        return f"the stream has the pages {numbers}, and the checkpoint is at page {redis.page}"
    if redis.state == FINISHED and redis.page != world.pages + 1:
        return f"finished before page {redis.page}"
    behind = 0
    for entry in entries:
        if entry.page.behind != behind:
            return f"page {entry.page.number} was fetched behind another page {entry.page.number - 1}"
        behind = entry.page.version
    return ""


def plain(world: World, state: State) -> State:
    """The same state in its simplest form: what can make no difference any more is dropped, and fences are renamed."""
    redis, saved = state.redis, state.saved
    if not (state.left[-1] and state.left[BACK]):
        saved = None
    if world.guards.has_random_fence:
        return _renamed(state, redis, saved, _that_matter(state, redis, saved))
    return state._replace(saved=saved)


def _that_matter(state: State, redis: Redis, saved: Redis | None) -> list[Message]:
    """Not a request that nobody waits for, and that will be refused whatever happens."""
    awaited = {worker.fence for worker in state.workers}
    current = {redis.fence, saved.fence if saved else NOBODY}
    leasing = {message.fence for message in state.network if message.kind == "lease"}
    least = min(redis.leases, saved.leases if saved else redis.leases)
    return [
        message
        for message in state.network
        if message.fence in awaited
        or (message.number >= least if message.kind == "lease" else message.fence in current | leasing)
    ]


def _renamed(state: State, redis: Redis, saved: Redis | None, network: list[Message]) -> State:
    """Names count from 1, in their order; those of the dead are NAMELESS, and their last commit is nobody's."""
    known = {worker.fence for worker in state.workers} | {message.fence for message in network}
    names = {name: new for new, name in enumerate(sorted({fence[0] for fence in known} | {0}))}
    fences = {fence: (names[fence[0]], fence[1]) for fence in known}
    workers = tuple(_renamed_worker(worker, fences) for worker in state.workers)
    return State(
        _renamed_redis(redis, names, fences),
        workers,
        tuple(sorted(_renamed_message(message, fences) for message in network)),
        _renamed_redis(saved, names, fences) if saved else None,
        state.version,
        len(names) - 1,
        state.left if state.left[-1] else (0,) * len(state.left),
        state.went_back,
        state.stamp,
        state.ids,
    )


def _renamed_message(message: Message, fences: dict[Fence, Fence]) -> Message:
    fence = fences[message.fence]
    return message if fence == message.fence else message._replace(fence=fence)


def _renamed_worker(worker: Worker, fences: dict[Fence, Fence]) -> Worker:
    if fences[worker.fence] == worker.fence:
        return worker
    sent = _renamed_message(worker.sent, fences) if worker.sent else None
    return worker._replace(fence=fences[worker.fence], sent=sent)


def _renamed_redis(redis: Redis, names: dict[int, int], fences: dict[Fence, Fence]) -> Redis:
    fence, last = redis.fence, redis.commit
    fence = (names[fence[0]], fence[1]) if fence[0] in names else NAMELESS
    last = (fences[last[0]], last[1]) if last is not None and last[0] in fences else None
    return redis if (fence, last) == (redis.fence, redis.commit) else redis._replace(fence=fence, commit=last)


def _way(came: list[tuple[int, str]], place: int) -> tuple[str, ...]:
    words: list[str] = []
    while place:
        place, what = came[place]
        words.append(what)
    return tuple(reversed(words))


def _stuck(order: list[State], before: list[list[int]]) -> int | None:
    """The first state from which the end cannot be reached, however well all goes from there."""
    reached = [place for place, state in enumerate(order) if state.redis.state == FINISHED]
    good = set(reached)
    while reached:
        for place in before[reached.pop()]:
            if place not in good:
                good.add(place)
                reached.append(place)
    return next((place for place in range(len(order)) if place not in good), None)
