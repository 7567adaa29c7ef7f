"""The simulation of `docs/scaling.md`: what is known without it has to come out of it."""

import statistics
from dataclasses import fields, replace

import pytest

from benchmarks.scaling.model import Core, Costs, Fleet, Outcome
from benchmarks.scaling.scenarios import poll_cost
from benchmarks.scaling.simulation import Simulation


def costs(**dear: float) -> Costs:
    """A microsecond for everything else."""
    return Costs(**{one.name: dear.get(one.name, 1.0) for one in fields(Costs)})


def simulated(fleet: Fleet, all_costs: Costs, seed: int = 1) -> Outcome:
    return Simulation(fleet, all_costs, seed).run(10, 10, 60)


def test_a_core_does_one_thing_after_another() -> None:
    core = Core(costs(commit=1_000_000, renew=500_000))
    assert core.run(10.0, "commit") == 11.0
    assert core.run(10.2, "renew") == 11.5
    assert core.wait(10.5) == pytest.approx(1.0)
    assert core.done(10.5) == pytest.approx(0.5)
    assert core.run(20.0, "renew") == 20.5
    assert core.done(21.0) == pytest.approx(2.0)


def test_polls_use_what_their_rate_and_cost_say() -> None:
    outcome = simulated(Fleet(workers=100, slices=0, pages=0), costs(poll=200))
    assert outcome.rates["poll"] == pytest.approx(1000, rel=0.02)
    assert outcome.utilisation == pytest.approx(0.2, rel=0.02)


def test_the_utilisation_law_holds() -> None:
    """Utilisation is the sum of rate times cost, over all kinds of commands."""
    dear = costs(poll=50, commit=800, renew=40, token=30, rescue=30)
    outcome = simulated(Fleet(workers=50, slices=500, pages=300), dear)
    expected = sum(rate * getattr(dear, name) / 1e6 for name, rate in outcome.rates.items())
    assert outcome.utilisation == pytest.approx(expected, rel=0.02)
    assert outcome.rates["renew"] == pytest.approx(500 / 2, rel=0.05)
    assert outcome.rates["commit"] == pytest.approx(300, rel=0.1)


def test_a_full_core_answers_as_many_polls_as_fit() -> None:
    """Each worker waits for its answer, so what comes in is bounded; it then takes so long that all is in balance."""
    outcome = simulated(Fleet(workers=2000, slices=10, pages=10), costs(poll=100))
    assert outcome.utilisation == pytest.approx(1.0, abs=0.01)
    assert outcome.rates["poll"] == pytest.approx(10_000, rel=0.02)
    assert statistics.median(outcome.waits) == pytest.approx(2000 * 100e-6, rel=0.1)


def test_a_killed_workers_slices_go_on_within_a_lease_and_a_little() -> None:
    fleet = Fleet(workers=20, slices=200, pages=200, killed=0.2)
    outcome = simulated(fleet, costs(poll=3, look=12, commit=600))
    assert outcome.missing == outcome.robbed == 0
    assert len(outcome.recovered) == 40
    assert fleet.lease - fleet.renew < max(outcome.recovered) < 10


def test_a_scheduler_that_rests_looks_at_so_many_slices_a_second_and_no_more() -> None:
    few = Fleet(workers=100, slices=5000, pages=500, slots=100, schedulers=1, is_eager=False)
    late, soon, quick = (
        Simulation(fleet, costs()).run(30, 5, 60)
        for fleet in (few, replace(few, schedulers=4), replace(few, is_eager=True))
    )
    assert late.rates["rescue"] < few.at_once / few.sweep / 0.95
    assert max(late.recovered) > 10 > max(*soon.recovered, *quick.recovered)


def test_workers_without_a_free_slot_do_not_poll() -> None:
    outcome = simulated(Fleet(workers=10, slices=20, pages=20, slots=2), costs())
    assert "poll" not in outcome.rates


def test_one_seed_has_one_outcome() -> None:
    fleet, dear = Fleet(workers=30, slices=100, pages=100, killed=0.1), costs(poll=10, commit=500)
    assert simulated(fleet, dear) == simulated(fleet, dear)
    assert simulated(fleet, dear, 2) != simulated(fleet, dear)


def test_the_cost_of_a_poll_lies_between_those_measured() -> None:
    polls = {100: 3.0, 1000: 6.0}
    assert [poll_cost(polls, crowd) for crowd in (10, 100, 1000, 5000)] == [3.0, 3.0, 6.0, 6.0]
    assert poll_cost(polls, 316) == pytest.approx(4.5, abs=0.01)
