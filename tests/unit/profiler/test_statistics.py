"""Statistics of samples against numpy, scipy and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from services.profiler.statistics import drift, interval_rank, median_interval, summarise, variation


@pytest.mark.parametrize("n", [1, 2, 5, 30, 500, 3000])
def test_summary_against_numpy_and_scipy(n):
    samples = np.random.default_rng(n).lognormal(0, 0.3, n)
    summary = summarise(samples)
    assert summary.median_ms == np.median(samples)
    assert summary.mean_ms == pytest.approx(samples.mean())
    assert summary.std_ms == pytest.approx(samples.std(ddof=1) if n > 1 else 0.0)
    assert summary.min_ms == samples.min()
    assert summary.mad_ms == pytest.approx(stats.median_abs_deviation(samples))
    expected = np.percentile(samples, [90, 95, 99])
    assert (summary.p90_ms, summary.p95_ms, summary.p99_ms) == pytest.approx(tuple(expected))
    assert summary.median_low_ms <= summary.median_ms <= summary.median_high_ms


@pytest.mark.parametrize("n", [*range(1, 120), 500, 999, 1000])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_the_rank_is_the_largest_one_that_keeps_the_confidence(n, confidence):
    k, tail = interval_rank(n, confidence), (1 - confidence) / 2
    assert k == 0 or stats.binom.cdf(k - 1, n, 0.5) <= tail * (1 + 1e-9)
    assert stats.binom.cdf(k, n, 0.5) > tail * (1 - 1e-9)


@pytest.mark.parametrize("n", [1001, 5000, 100_000])
def test_the_rank_of_many_samples_is_the_exact_one_within_one(n):
    exact = int(stats.binom.ppf(0.025, n, 0.5))
    assert abs(interval_rank(n, 0.95) - exact) <= 1


def test_the_interval_covers_the_median_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(2000):
        low, high = median_interval(rng.exponential(1.0, 41))
        hits += low <= np.log(2) <= high
    assert 0.94 <= hits / 2000 <= 0.98


def test_the_interval_equals_scipys_sign_test_interval():
    samples = np.random.default_rng(1).normal(size=200)
    expected = stats.quantile_test(samples, p=0.5).confidence_interval(0.95)
    assert median_interval(samples) == pytest.approx((expected.low, expected.high))


def test_variation_forgets_rare_outliers_and_sees_real_noise():
    calm = np.full(200, 1.0)
    calm[::50] = 30.0
    assert variation(calm) == 0.0
    noisy = np.random.default_rng(0).normal(1.0, 0.2, 2000)
    assert variation(noisy) == pytest.approx(stats.trimboth(noisy, 0.05).std(ddof=1) / noisy.mean(), rel=0.02)


def test_drift_is_the_last_third_against_the_first():
    samples = np.concatenate([np.full(10, 1.0), np.full(10, 5.0), np.full(10, 1.2)])
    assert drift(samples) == pytest.approx(0.2)
    assert drift(np.array([1.0, 2.0, 3.0])) == 0.0


@pytest.mark.parametrize("samples", [[], [1.0, np.nan], [np.inf], [[1.0, 2.0]]])
def test_refuses_what_are_no_samples(samples):
    with pytest.raises(ValueError, match="samples must be"):
        summarise(np.asarray(samples))
