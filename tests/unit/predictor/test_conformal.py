"""The finite-sample quantile, and the coverage of real intervals on known ground truth."""

import math

import numpy as np

from services.predictor.conformal import coverage, half_width
from services.predictor.design import d_optimal
from services.predictor.fit import FitOptions, fit
from tests.unit.predictor import spaces


def test_the_quantile_is_that_of_n_plus_one() -> None:
    scores = np.arange(1.0, 20.0)  # 19 scores: ceil(0.9 * 20) = 18
    assert half_width(scores, 0.9) == 18.0
    assert half_width(scores[::-1], 0.5) == 10.0
    assert half_width(np.arange(1.0, 10.0), 0.9) == 9.0


def test_with_too_few_samples_the_interval_is_unbounded() -> None:
    assert math.isinf(half_width(np.arange(8.0), 0.9))


def test_exchangeable_scores_are_covered_as_promised() -> None:
    rng = np.random.default_rng(0)
    inside = [abs(rng.normal()) <= half_width(np.abs(rng.normal(size=24)), 0.9) for _ in range(4000)]
    assert 0.89 <= np.mean(inside) <= 0.94


def test_coverage_counts_ends() -> None:
    assert coverage(np.array([0.1, 0.5, 0.9]), np.array([0.1, 0.6, 0.8]), np.array([0.2, 0.7, 0.9])) == 2 / 3


def test_ninety_per_cent_intervals_cover_85_to_95_per_cent_of_held_out_samples() -> None:
    library = spaces.library(spaces.random_tables(4, 20, seed=5))
    covered, loo = [], []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        choices = spaces.draw(library.num_options, 230, seed)
        q = library.qualities(choices)
        accuracy = np.clip(
            0.95 - q @ [0.1, 0.2, 0.05, 0.15] - 0.05 * q[:, 0] * q[:, 3] + rng.normal(0, 0.01, 230), 0, 1
        )
        found = fit(library, choices[:30], accuracy[:30], FitOptions(), learning_curve_subsets=0)
        held_out = found.model.bind(library).predict(choices[30:])
        covered.append(coverage(accuracy[30:], held_out.low, held_out.high))
        loo.append(found.covered)
    assert 0.85 <= np.mean(covered) <= 0.95
    assert 0.85 <= np.mean(loo) <= 0.95


def test_intervals_from_a_design_are_wide_rather_than_narrow() -> None:
    """D-optimal samples lie at the edge of the space, where errors are larger than those of networks drawn from it."""
    library = spaces.library(spaces.random_tables(4, 20, seed=5))
    covered = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        design = d_optimal(library, 30, np.zeros((0, 4), dtype=np.int64), seed)
        choices = np.concatenate([design, spaces.draw(library.num_options, 200, seed)])
        q = library.qualities(choices)
        accuracy = np.clip(
            0.95 - q @ [0.1, 0.2, 0.05, 0.15] - 0.05 * q[:, 0] * q[:, 3] + rng.normal(0, 0.01, 230), 0, 1
        )
        found = fit(library, choices[:30], accuracy[:30], FitOptions(), learning_curve_subsets=0)
        held_out = found.model.bind(library).predict(choices[30:])
        covered.append(coverage(accuracy[30:], held_out.low, held_out.high))
    assert 0.88 <= np.mean(covered) <= 0.99
    assert min(covered) >= 0.75
