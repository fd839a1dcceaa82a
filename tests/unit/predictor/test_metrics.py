"""Measures against scipy and scikit-learn, on samples and on their resamples."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import mean_squared_error, r2_score

from services.predictor import metrics


def pair(size: int, seed: int, ties: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.uniform(0.5, 0.9, size)
    x = y + rng.normal(0, 0.1, size)
    return (np.round(y, 1), np.round(x, 1)) if ties else (y, x)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("size", [5, 40])
def test_measures_are_those_of_the_libraries(size: int, ties: bool) -> None:
    y, x = pair(size, size, ties)
    found = metrics.evaluate(y, x, seed=0, resamples=50)
    assert found.num_samples == size
    assert math.isclose(found.kendall_tau.value, stats.kendalltau(y, x).statistic, abs_tol=1e-12)
    assert math.isclose(found.spearman.value, stats.spearmanr(y, x).statistic, abs_tol=1e-12)
    assert math.isclose(found.r2.value, r2_score(y, x), abs_tol=1e-12)
    assert math.isclose(found.mse.value, mean_squared_error(y, x), abs_tol=1e-12)


def test_counts_are_resamples() -> None:
    y, x = pair(20, 3, ties=True)
    rows = np.random.default_rng(0).integers(0, 20, size=20)
    counts = np.bincount(rows, minlength=20)[None].astype(float)
    assert math.isclose(
        metrics.kendall_tau(y, x, counts)[0], stats.kendalltau(y[rows], x[rows]).statistic, abs_tol=1e-12
    )
    assert math.isclose(
        metrics.spearman(y, x, counts)[0], stats.spearmanr(y[rows], x[rows]).statistic, abs_tol=1e-12
    )
    assert math.isclose(metrics.r2(y, x, counts)[0], r2_score(y[rows], x[rows]), abs_tol=1e-12)
    assert math.isclose(metrics.mse(y, x, counts)[0], mean_squared_error(y[rows], x[rows]), abs_tol=1e-12)


def test_the_bootstrap_interval_of_a_mean_is_the_textbooks() -> None:
    rng = np.random.default_rng(1)
    y = np.zeros(200)
    x = rng.normal(0, 1, 200)
    found = metrics.evaluate(y, x, seed=0, resamples=4000).mse
    standard_error = np.std(x**2) / math.sqrt(200)
    assert math.isclose(found.low, found.value - 1.645 * standard_error, rel_tol=0.05)
    assert math.isclose(found.high, found.value + 1.645 * standard_error, rel_tol=0.05)


def test_intervals_are_reproducible_and_hold_the_figure() -> None:
    y, x = pair(30, 4, ties=False)
    found = metrics.evaluate(y, x, seed=7)
    assert found == metrics.evaluate(y, x, seed=7)
    assert found != metrics.evaluate(y, x, seed=8)
    for estimate in (found.kendall_tau, found.spearman, found.r2, found.mse):
        assert estimate.low < estimate.value < estimate.high


def test_what_is_undefined_is_nan() -> None:
    found = metrics.evaluate(np.full(6, 0.7), np.linspace(0, 1, 6), seed=0)
    assert math.isnan(found.kendall_tau.value)
    assert math.isnan(found.spearman.low)
    assert math.isnan(found.r2.high)
    assert found.mse.value > 0
