"""The fleets that are simulated, and what is said of them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.report import table
from benchmarks.scaling.model import Costs, Fleet, Outcome
from benchmarks.scaling.simulation import Simulation

WARM, COUNTED, PATIENCE = 10.0, 5.0, 60.0
"""Seconds of simulated time."""
LONG_WARM = 40.0
"""Where schedulers do not keep up: until they are as late as they get."""
IDLE = (100, 1000, 3000, 10_000, 30_000)
DELAYS = (0.1, 0.25, 0.5, 1.0, 2.0)
Point = tuple[float, float]
Polls = Mapping[int, float]
"""Microseconds of a poll, by how many connections there are."""


@dataclass(frozen=True)
class Scenario:
    """A fleet, and in words what is turned from the defaults."""

    fleet: Fleet
    turned: str = ""


SMALL = Fleet(workers=10, slices=100, pages=100, killed=0.1)
LARGE = Fleet(workers=10_000, slices=10_000, pages=500)
GROWING = [
    Scenario(SMALL),
    *(
        Scenario(replace(SMALL, workers=workers, slices=slices, killed=0.01))
        for workers, slices in ((100, 1000), (1000, 1000))
    ),
    Scenario(Fleet(workers=1000, slices=1000, pages=1000)),
    Scenario(Fleet(workers=1000, slices=10_000, pages=500)),
    Scenario(Fleet(workers=3000, slices=3000, pages=500)),
    Scenario(LARGE),
]
TURNED = [
    Scenario(replace(LARGE, poll=1.0), "poll 1 s"),
    Scenario(replace(LARGE, poll=1.0, schedulers=4), "poll 1 s, 4 schedulers"),
    Scenario(replace(LARGE, poll=1.0, lease=30.0, renew=10.0), "poll 1 s, lease 30 s, renew 10 s"),
    Scenario(replace(LARGE, slots=1), "no free slots (nobody polls, nobody takes over)"),
    Scenario(replace(LARGE, workers=200, slots=60), "200 workers of 60 slots"),
    Scenario(replace(LARGE, poll=1.0, pages=100), "poll 1 s, a fifth of the pages"),
]
FEWER = replace(LARGE, workers=200, slots=60)
CHANGED = [
    Scenario(FEWER, "as it is"),
    Scenario(replace(FEWER, is_eager=False), "a rest after each sweep"),
    Scenario(replace(FEWER, abreast=20), "20 looks at a time"),
    Scenario(replace(LARGE, poll=1.0, abreast=20), "the same, 10,000 workers, poll 1 s"),
]
"""With schedulers that there are not."""
CURVE = (100, 300, 1000, 2000, 3000, 5000, 7000, 10_000)
CURVES = {f"poll delay {delay:g} s": delay for delay in (0.1, 0.25, 1.0)}


def poll_cost(polls: Polls, crowd: int) -> float:
    """Between the crowds that were measured, by the logarithm of their sizes; beyond them, as at the nearest."""
    known = sorted(polls)
    above = next((size for size in known if size >= crowd), known[-1])
    below = next((size for size in reversed(known) if size <= crowd), known[0])
    if above <= below:
        return polls[above]
    share = math.log(crowd / below) / math.log(above / below)
    return polls[below] + share * (polls[above] - polls[below])


def simulated(fleet: Fleet, costs: Costs, polls: Polls) -> Outcome:
    """With the cost of a poll that so many workers cause."""
    is_late = not fleet.is_eager and fleet.slices / fleet.lease > fleet.schedulers * fleet.at_once / (2 * fleet.sweep)
    costs = replace(costs, poll=poll_cost(polls, fleet.workers))
    return Simulation(fleet, costs).run(LONG_WARM if is_late else WARM, COUNTED, PATIENCE)


def idle(costs: Costs, polls: Polls) -> str:
    """What polling alone takes."""
    lines: list[Sequence[str]] = []
    for workers in IDLE:
        cells = [_idle(replace(costs, poll=poll_cost(polls, workers)), workers, delay) for delay in DELAYS]
        lines.append((f"{workers:,}", f"{poll_cost(polls, workers):.1f}", *cells))
    full = [f"**{_filling(polls, delay):,.0f}**" for delay in DELAYS]
    heads = "idle workers", "us a poll", *(f"poll delay {delay:g} s" for delay in DELAYS)
    return table(heads, [*lines, ("as many as fill the core", "", *full)])


def _idle(costs: Costs, workers: int, delay: float) -> str:
    outcome = Simulation(Fleet(workers=workers, slices=0, pages=0, poll=delay), costs).run(2, 2, 0)
    return f"{outcome.utilisation:.0%}"


def _filling(polls: Polls, delay: float) -> float:
    """The number of workers whose polls take as long as there is time for them; their cost depends on it in turn."""
    workers = 1000.0
    for _ in range(50):
        workers = delay / poll_cost(polls, max(1, round(workers))) * 1e6
    return workers


def fleets(scenarios: Sequence[Scenario], costs: Costs, polls: Polls) -> str:
    """A table."""
    heads = (
        *("workers", "slices", "pages/s", "turned", "its core", "commit waits, p50 / p99 ms"),
        *("kill -9 to next page, p50 / most s", "leases lost"),
    )
    return table(heads, _lines(scenarios, costs, polls))


def _lines(scenarios: Sequence[Scenario], costs: Costs, polls: Polls) -> Iterator[Sequence[str]]:
    for scenario in scenarios:
        fleet, outcome = scenario.fleet, simulated(scenario.fleet, costs, polls)
        waits = f"{1000 * share(outcome.waits, 0.5):.1f} / {1000 * share(outcome.waits, 0.99):.1f}"
        numbers = f"{fleet.workers:,}", f"{fleet.slices:,}", f"{fleet.pages:,.0f}"
        yield *numbers, scenario.turned, f"{outcome.utilisation:.0%}", waits, _recovery(outcome), f"{outcome.robbed}"


def _recovery(outcome: Outcome) -> str:
    if outcome.missing:
        return f"{outcome.missing} of {outcome.missing + len(outcome.recovered)} not within {PATIENCE:.0f}"
    return f"{share(outcome.recovered, 0.5):.1f} / {max(outcome.recovered):.1f}"


def curves(costs: Costs, polls: Polls) -> tuple[dict[str, list[Point]], dict[str, list[Point]]]:
    """By poll delay, over workers with a slice each: the share of the core, and the worst time from a kill to the next
    page; a slice has a page every twenty seconds, and there are schedulers enough."""
    used: dict[str, list[Point]] = {}
    slow: dict[str, list[Point]] = {}
    for name, delay in CURVES.items():
        for workers in CURVE:
            fleet = Fleet(
                workers=workers, slices=workers, pages=workers / 20, schedulers=1 + workers // 1200, poll=delay
            )
            outcome = simulated(fleet, costs, polls)
            used.setdefault(name, []).append((workers, outcome.utilisation))
            if not outcome.missing:
                slow.setdefault(name, []).append((workers, max(outcome.recovered)))
    return used, slow


def share(figures: Sequence[float], part: float) -> float:
    """The figure that this part of all is not above."""
    ordered = sorted(figures)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0
