"""A fleet against one Redis as discrete events: no processes, no clock, so that ten thousand workers fit on a laptop.

Redis is one core that executes what comes in the order in which it comes, each command for what it was measured to
cost. The rest is as the library has it: arq's workers poll, look at each job that they see, and race for it; leases are
renewed by themselves and by commits; tokens are good for a while; schedulers sweep, look at so many slices at most one
after the other, rest, and hold back after a gap. The next page is fetched while one is committed. Workers themselves
take no time: what is looked for is where Redis and the protocol end.
"""

import heapq
import random
from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Any

from benchmarks.scaling.model import Core, Costs, Fleet, Outcome, Slice, Worker

TOKEN_LIFE = 0.25
"""Seconds; `pagefleet_worker.budget`."""
GROUPS = 1000
"""Workers that poll do so in at most so many groups, each one after the other in one event."""


class Simulation:
    """`run` gives the outcome; the same seed, the same one."""

    def __init__(self, fleet: Fleet, costs: Costs, seed: int = 1) -> None:
        self.fleet, self.core, self.outcome = fleet, Core(costs), Outcome()
        self.queue: dict[Slice, int] = {}
        self.due: dict[Slice, float] = {}
        self.random = random.Random(seed)
        self._now, self._number = 0.0, 0
        self._events: list[tuple[float, int, Callable[..., None], Any]] = []
        groups = min(fleet.workers, GROUPS)
        self.workers = [Worker(number % groups) for number in range(fleet.workers)]
        self._groups: list[list[Worker]] = [self.workers[group::groups] for group in range(groups)]
        self._pages = fleet.pages / fleet.slices if fleet.slices else 0.0
        self._begin()

    def at(self, moment: float, what: Callable[..., None], *arguments: Any) -> None:
        """Do it then."""
        self._number += 1
        heapq.heappush(self._events, (moment, self._number, what, arguments))

    def run(self, warm: float, counted: float, patience: float) -> Outcome:
        """Warm up, count, kill, and go on until the killed workers' slices have their next pages."""
        self._until(warm)
        done, counts = self.core.done(warm), Counter(self.core.counts)
        self.outcome.waits.clear()
        end = warm + counted
        self._until(end)
        self.outcome.utilisation = (self.core.done(end) - done) / counted
        self.outcome.rates = {name: count / counted for name, count in (self.core.counts - counts).items()}
        waits = list(self.outcome.waits)
        killed = self._kill(end)
        while len(self.outcome.recovered) < killed and self._now < end + patience:
            self._until(self._now + 0.5)
        self.outcome.missing, self.outcome.waits = killed - len(self.outcome.recovered), waits
        return self.outcome

    def _until(self, moment: float) -> None:
        while self._events and self._events[0][0] <= moment:
            self._now, _, what, arguments = heapq.heappop(self._events)
            what(self._now, *arguments)
        self._now = moment

    def _begin(self) -> None:
        """In the middle of things: leases, renewals and polls are at random points of their turns."""
        fleet, random_ = self.fleet, self.random
        for group in range(len(self._groups)):
            self.at(random_.uniform(0, fleet.poll), self._poll, group)
        for number in range(fleet.slices):
            worker = self.workers[number % fleet.workers]
            slice_ = Slice(worker, until=random_.uniform(2 / 3, 1) * fleet.lease)
            worker.held += 1
            self.due[slice_] = random_.uniform(0, 1) * fleet.lease
            self.at(random_.uniform(0, fleet.renew), self._renew, slice_, 0)
            self.at(random_.uniform(0, 1) / self._pages, self._commit, slice_, 0)
        for _ in range(fleet.schedulers):
            self.at(random_.uniform(0, fleet.sweep), Scheduler(self).sweep)

    def _kill(self, now: float) -> int:
        """Answers how many slices are left without a worker."""
        busy = [worker for worker in self.workers if worker.held]
        count = min(len(busy), max(1, round(self.fleet.killed * len(self.workers))))
        for worker in self.random.sample(busy, count):
            worker.is_dead = True
        orphans = [slice_ for slice_ in self.due if slice_.worker and slice_.worker.is_dead]
        for slice_ in orphans:
            slice_.killed = now
        return len(orphans)

    # A worker and arq

    def _poll(self, now: float, group: int) -> None:
        able = [
            one for one in self._groups[group] if not (one.is_dead or one.is_starting or one.held >= self.fleet.slots)
        ]
        done = self.core.run(now, "poll", len(able)) if able else now
        for worker in able if self.queue else ():
            worker.is_starting = True
            self.at(done + self.fleet.trip, self._look, worker, list(islice(self.queue.items(), self.fleet.read_limit)))
        self.at(max(now + self.fleet.poll, done + self.fleet.trip), self._poll, group)

    def _look(self, now: float, worker: Worker, jobs: list[tuple[Slice, int]]) -> None:
        if not jobs or worker.held >= self.fleet.slots:
            worker.is_starting = False
            return
        (slice_, lease), *others = jobs
        done = self.core.run(now, "look")
        if slice_.is_taken or self.queue.get(slice_) != lease:
            self.at(done + 4 * self.fleet.trip, self._look, worker, others)
        else:
            self.at(done + 3 * self.fleet.trip, self._take, worker, jobs)

    def _take(self, now: float, worker: Worker, jobs: list[tuple[Slice, int]]) -> None:
        (slice_, lease), *others = jobs
        done = self.core.run(now, "take")
        if not slice_.is_taken and self.queue.get(slice_) == lease:
            slice_.is_taken = True
            worker.held += 1
            self.at(done + self.fleet.trip, self._start, worker, slice_, lease)
        self.at(done + self.fleet.trip, self._look, worker, others)

    def _start(self, now: float, worker: Worker, slice_: Slice, lease: int) -> None:
        self.at(self.core.run(now, "begin") + self.fleet.trip, self._lease, worker, slice_, lease)

    def _lease(self, now: float, worker: Worker, slice_: Slice, lease: int) -> None:
        done = self.core.run(now, "lease")
        if self.queue.pop(slice_, None) != lease:
            raise RuntimeError("the simulation has given one lease to two workers")
        slice_.worker, slice_.is_taken = worker, False
        slice_.until = self.due[slice_] = done + self.fleet.lease
        first = self.random.uniform(0.5, 1.5) * min(self.fleet.fetch, 1 / self._pages)
        self.at(done + self.fleet.renew, self._renew, slice_, lease)
        self.at(done + first, self._commit, slice_, lease)

    def _renew(self, now: float, slice_: Slice, lease: int) -> None:
        if slice_.lease != lease or slice_.worker is None or slice_.worker.is_dead:
            return
        done = self.core.run(now, "renew")
        slice_.until = done + self.fleet.lease
        self.at(done + self.fleet.trip + self.fleet.renew, self._renew, slice_, lease)

    def _commit(self, now: float, slice_: Slice, lease: int) -> None:
        """A page is there: ask for the next one, and commit this."""
        worker = slice_.worker
        if slice_.lease != lease or worker is None or worker.is_dead:
            return
        asked = now
        if now - worker.token > TOKEN_LIFE:
            worker.token, asked = now, self.core.run(now, "token") + self.fleet.trip
        self.outcome.waits.append(self.core.wait(now))
        done = self.core.run(now, "commit")
        slice_.until = done + self.fleet.lease
        if slice_.killed >= 0:
            self.outcome.recovered.append(done - slice_.killed)
            slice_.killed = -1.0
        following = asked + self.random.uniform(0.5, 1.5) / self._pages
        self.at(max(following, done + self.fleet.trip), self._commit, slice_, lease)

    # A scheduler

    def rescue(self, now: float, slice_: Slice) -> float:
        """One look at a slice that is due; answers when it is done."""
        if slice_ in self.queue:
            done = self.core.run(now, "rescue")
            self.due[slice_] = done + self.fleet.lease
            return done
        done = self.core.wait(now) + now
        if slice_.until > done:
            self.due[slice_] = slice_.until
            return self.core.run(now, "rescue")
        if slice_.worker is not None and not slice_.worker.is_dead:
            self.outcome.robbed += 1
            slice_.worker.held -= 1
        slice_.lease += 1
        slice_.worker = None
        self.queue[slice_] = slice_.lease
        self.due[slice_] = done + self.fleet.lease
        return self.core.run(now, "takeover")


class Scheduler:
    """Sweeps, as `pagefleet_scheduler.scheduler` does."""

    def __init__(self, simulation: Simulation) -> None:
        self._all = simulation
        self._begun = self._looked = self._patient_until = 0.0

    def sweep(self, now: float) -> None:
        """Ask what is due."""
        fleet, core = self._all.fleet, self._all.core
        self._begun = self._looked = now
        if self._is_holding_back(now):
            self._rest(now, fleet.sweep)
            return
        done = core.run(now, "sweep")
        due = sorted(
            (moment, number, one) for number, (one, moment) in enumerate(self._all.due.items()) if moment <= now
        )
        found = [one for _, _, one in due[: fleet.at_once]]
        is_full = fleet.is_eager and len(found) == fleet.at_once
        self._all.at(done + 2 * fleet.trip, self._look, found, is_full)

    def _look(self, now: float, slices: list[Slice], is_full: bool) -> None:
        """Each waits for the answer to the one before, or so many for so many."""
        usual = self._all.fleet.sweep
        if not slices:
            self._rest(now, min((now - self._begun) / 2, usual) if is_full else usual)
            return
        if self._is_holding_back(now):
            self._rest(now, usual)
            return
        abreast = self._all.fleet.abreast
        done = max(self._all.rescue(now, slice_) for slice_ in slices[:abreast])
        self._all.at(done + self._all.fleet.trip, self._look, slices[abreast:], is_full)

    def _is_holding_back(self, now: float) -> bool:
        gap, self._looked = now - self._looked, now
        if gap > self._all.fleet.lease / 2:
            self._patient_until = now + self._all.fleet.lease
        return now < self._patient_until

    def _rest(self, now: float, seconds: float) -> None:
        self._all.at(now + seconds * self._all.random.uniform(0.7, 1.3), self.sweep)
