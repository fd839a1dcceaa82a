"""What the samples of one measurement say. Pure; latencies in milliseconds, samples of shape (n,)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
TRIM = 0.05
"""Share cut from each end before the coefficient of variation: a preempted run says something of the operating
system, and is told by p95 and p99; the coefficient shall say whether the device itself is steady."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """`median_low_ms` and `median_high_ms` bound the median's 95 % confidence interval; `mad_ms` is the median
    absolute deviation; `variation` the trimmed coefficient of variation; `drift` how far the median of the last
    third lies from that of the first, as a share of it."""

    median_ms: float
    mean_ms: float
    std_ms: float
    min_ms: float
    mad_ms: float
    p90_ms: float
    p95_ms: float
    p99_ms: float
    median_low_ms: float
    median_high_ms: float
    variation: float
    drift: float

    @property
    def relative_ci_width(self) -> float:
        """Width of the median's confidence interval as a share of the median."""
        return (self.median_high_ms - self.median_low_ms) / self.median_ms if self.median_ms else 0.0


def summarise(samples_ms: np.ndarray) -> Summary:
    """Raises ValueError when there is no sample, or one that is no finite number."""
    samples = np.asarray(samples_ms, dtype=np.float64)
    if samples.ndim != 1 or not samples.size or not np.isfinite(samples).all():
        raise ValueError(f"samples must be at least one finite number, got shape {samples.shape}")
    median = float(np.median(samples))
    p90, p95, p99 = (float(value) for value in np.percentile(samples, (90, 95, 99)))
    low, high = median_interval(samples)
    return Summary(
        median_ms=median,
        mean_ms=float(samples.mean()),
        std_ms=float(samples.std(ddof=1)) if samples.size > 1 else 0.0,
        min_ms=float(samples.min()),
        mad_ms=float(np.median(np.abs(samples - median))),
        p90_ms=p90,
        p95_ms=p95,
        p99_ms=p99,
        median_low_ms=low,
        median_high_ms=high,
        variation=variation(samples),
        drift=drift(samples),
    )


def median_interval(samples_ms: np.ndarray) -> tuple[float, float]:
    """Distribution-free 95 % confidence interval of the median by order statistics: the k-th smallest and k-th largest
    sample, k the largest rank with P(Binomial(n, 1/2) < k) <= 0.025 (Conover, Practical Nonparametric Statistics, 3.2).
    With too few samples for any k it is their whole range.
    """
    ordered = np.sort(samples_ms)
    k = max(1, interval_rank(len(ordered), CONFIDENCE))
    return float(ordered[k - 1]), float(ordered[-k])


def interval_rank(n: int, confidence: float) -> int:
    """The rank k of `median_interval`; 0 when n is too small. Exact up to 1000 samples, then by the normal
    approximation with continuity correction."""
    tail = (1 - confidence) / 2
    if n > 1000:
        return math.floor((n - _normal_quantile(1 - tail) * math.sqrt(n)) / 2)
    budget, term, k = tail * 2.0**n, 1, 0
    total = term
    while total <= budget:
        k += 1
        term = term * (n - k + 1) // k
        total += term
    return k


def variation(samples_ms: np.ndarray) -> float:
    """Standard deviation over mean, after cutting TRIM of the samples at each end."""
    ordered = np.sort(samples_ms)
    cut = int(TRIM * len(ordered))
    kept = ordered[cut : len(ordered) - cut]
    return float(kept.std(ddof=1) / kept.mean()) if len(kept) > 1 and kept.mean() > 0 else 0.0


def drift(samples_ms: np.ndarray) -> float:
    """Median of the last third over median of the first third, minus 1; 0 for fewer than 6 samples."""
    third = len(samples_ms) // 3
    if third < 2:
        return 0.0
    first = float(np.median(samples_ms[:third]))
    return float(np.median(samples_ms[-third:])) / first - 1 if first > 0 else 0.0


def _normal_quantile(probability: float) -> float:
    # By bisection: the standard library's NormalDist brings a tenth of a fresh child's start with it.
    low, high = 0.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if (1 + math.erf(middle / math.sqrt(2))) / 2 < probability else (low, middle)
        )
    return low
