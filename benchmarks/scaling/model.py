"""What is simulated (`simulation.py`): a fleet, what its commands cost, and a Redis that executes them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Microseconds of Redis' core, each; `costs.py` says what of."""

    poll: float
    look: float
    take: float
    begin: float
    end: float
    lease: float
    renew: float
    commit: float
    token: float
    sweep: float
    rescue: float
    takeover: float
    enqueue: float
    release: float


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """What is simulated; the defaults are the product's. Times in seconds."""

    workers: int
    slices: int
    pages: float
    """A second, of all slices together, when nothing holds them up."""
    slots: int = 50
    """Slices that a worker takes; one that has as many does not poll."""
    schedulers: int = 1
    poll: float = 0.1
    renew: float = 2.0
    lease: float = 6.0
    sweep: float = 0.5
    read_limit: int = 1000
    """Jobs that a poll shows."""
    at_once: int = 200
    """Slices that a scheduler looks at in one sweep."""
    abreast: int = 1
    """Of these at the same time."""
    is_eager: bool = True
    """Behind a sweep that found as many as that, the rest is half as long as the sweep; False: it is the usual one."""
    fetch: float = 0.5
    """Until a source answers, at most: the first page of a lease waits for that alone."""
    trip: float = 0.0003
    """From a client to Redis and back, without what it waits for there."""
    killed: float = 0.01
    """The share of the workers that are killed at once."""


@dataclass
class Outcome:
    """Of one simulation."""

    utilisation: float = 0.0
    """The share of its core that Redis used before the kill."""
    rates: Mapping[str, float] = field(default_factory=dict[str, float])
    """Commands a second before the kill, by what they are."""
    waits: list[float] = field(default_factory=list[float])
    """Seconds that each commit waited for Redis before the kill."""
    recovered: list[float] = field(default_factory=list[float])
    """Seconds from the kill to the next page, of each slice that the killed workers had."""
    missing: int = 0
    """Slices that had none when the simulation ended."""
    robbed: int = 0
    """Leases that ran out although their worker lived: Redis was too slow for its renewals."""


class Core:
    """Redis: commands in the order in which they arrive."""

    def __init__(self, costs: Costs) -> None:
        self._costs = {name: cost / 1e6 for name, cost in asdict(costs).items()}
        self._free = self._work = 0.0
        self.counts: Counter[str] = Counter()

    def run(self, now: float, name: str, times: int = 1) -> float:
        """When it is done."""
        cost = self._costs[name] * times
        self.counts[name] += times
        self._work += cost
        self._free = max(now, self._free) + cost
        return self._free

    def wait(self, now: float) -> float:
        """Of what arrives now, until it is begun."""
        return max(0.0, self._free - now)

    def done(self, now: float) -> float:
        """Seconds of work that are behind it."""
        return self._work - self.wait(now)


@dataclass(slots=True, eq=False)
class Worker:
    group: int
    held: int = 0
    token: float = -1.0
    is_dead: bool = False
    is_starting: bool = False
    """It goes through the jobs that its last poll showed."""


@dataclass(slots=True, eq=False)
class Slice:
    """`lease` is its number: who works for another one has lost it."""

    worker: Worker | None
    lease: int = 0
    until: float = 0.0
    is_taken: bool = False
    """Its job is in progress, and not leased yet."""
    killed: float = -1.0
