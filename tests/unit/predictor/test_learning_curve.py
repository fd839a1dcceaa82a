"""The learning curve: its sizes, its direction, and its reproducibility."""

import numpy as np

from services.predictor.learning_curve import MAX_POINTS, learning_curve, sizes
from services.predictor.selection import Candidate, Problem

CANDIDATES = [Candidate(qualities=("nsr",), order=1, target="accuracy")]


def problem(samples: int) -> Problem:
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(samples, 5))
    accuracy = 0.8 + Z @ [0.03, 0.02, 0.01, 0.02, 0.03] + rng.normal(0, 0.01, samples)
    return Problem(inputs={("nsr",): Z}, accuracy_S=accuracy)


def test_sizes_leave_samples_to_judge_by() -> None:
    assert sizes(4) == []
    assert sizes(8) == [4, 5, 6]
    for samples in (6, 20, 64, 500):
        found = sizes(samples)
        assert found == sorted(set(found))
        assert len(found) <= MAX_POINTS
        assert 4 <= found[0] <= found[-1] <= 0.75 * samples


def test_more_samples_rank_better() -> None:
    points = list(learning_curve(problem(60), CANDIDATES, seed=0))
    assert [point.num_samples for point in points] == sizes(60)
    means = [point.kendall_tau_mean for point in points]
    assert means[-1] > means[0] + 0.1
    assert 0.5 < means[-1] < 1
    assert points[-1].kendall_tau_std < points[0].kendall_tau_std


def test_equal_seeds_give_equal_curves() -> None:
    first = list(learning_curve(problem(20), CANDIDATES, seed=3))
    assert first == list(learning_curve(problem(20), CANDIDATES, seed=3))
    assert first != list(learning_curve(problem(20), CANDIDATES, seed=4))


def test_a_constant_accuracy_has_no_curve() -> None:
    flat = Problem(inputs=problem(12).inputs, accuracy_S=np.full(12, 0.5))
    assert list(learning_curve(flat, CANDIDATES, seed=0)) == []
