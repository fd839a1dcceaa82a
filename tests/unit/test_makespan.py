"""The simulation of a cluster against what can be said without one."""

import pytest

from bench.makespan import Fleet, simulate


def test_equal_tasks_on_equal_workers_take_their_rounds() -> None:
    outcome = simulate([100.0] * 10, Fleet(workers=4, straggling=0, start_s=30), seed=0)
    assert outcome.makespan_s == pytest.approx(30 + 3 * 100)
    assert outcome.busy_s == pytest.approx(1000) and outcome.lost_s == 0
    assert outcome.utilisation(4) == pytest.approx(1000 / (4 * 330))


def test_preemption_costs_no_more_than_a_checkpoint_each_time() -> None:
    fleet = Fleet(workers=8, straggling=0, mtbf_h=0.5, checkpoint_s=10)
    outcome = simulate([3600.0] * 32, fleet, seed=1)
    quiet = simulate([3600.0] * 32, Fleet(workers=8, straggling=0), seed=1)
    assert outcome.preemptions > 10
    assert 0 < outcome.lost_s <= 10 * outcome.preemptions
    assert outcome.busy_s - outcome.lost_s == pytest.approx(32 * 3600)
    assert outcome.makespan_s > quiet.makespan_s


def test_the_same_seed_is_the_same_cluster() -> None:
    fleet = Fleet(workers=5, mtbf_h=1)
    assert simulate([500.0] * 20, fleet, seed=3) == simulate([500.0] * 20, fleet, seed=3)
    assert simulate([500.0] * 20, fleet, seed=3) != simulate([500.0] * 20, fleet, seed=4)
