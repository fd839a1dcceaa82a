"""How well predictions rank and fit: Kendall tau-b, Spearman, R2, mean squared error, each with an interval.

The interval is the percentile bootstrap over samples. A resample is a vector of counts c_S, and every
measure is written for counts, so that all resamples are computed at once:

    tau-b = sum_ij c_i c_j sign(x_i - x_j) sign(y_i - y_j) / sqrt(same with x, x * same with y, y)
    Spearman = Pearson's r of mid-ranks, rank_i = sum_j c_j ([x_j < x_i] + [x_j = x_i] / 2)
    R2 = 1 - sum c (y - y_hat)^2 / sum c (y - mean y)^2

Shapes: S samples, B resamples. Undefined values (all ranks equal) are NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

INTERVAL_LEVEL = 0.9


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A measure with its 90 % bootstrap interval; NaN where it is undefined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """Predicted against observed accuracies of the same samples."""

    num_samples: int
    kendall_tau: Estimate
    spearman: Estimate
    r2: Estimate
    mse: Estimate


def evaluate(observed_S: np.ndarray, predicted_S: np.ndarray, *, seed: int, resamples: int = 1000) -> Metrics:
    """All measures of (S,) predictions against (S,) observations, S >= 1; equal seeds, equal intervals."""
    S = len(observed_S)
    rng = np.random.default_rng(seed)
    counts_BS = rng.multinomial(S, np.full(S, 1 / S), size=resamples).astype(np.float64)
    counts_BS = np.concatenate([np.ones((1, S)), counts_BS])  # the first is the sample itself

    def estimate(measure: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]) -> Estimate:
        value, *resampled = measure(observed_S, predicted_S, counts_BS)
        defined = np.asarray(resampled)[np.isfinite(resampled)]
        if not math.isfinite(value) or not len(defined):
            return Estimate(value=math.nan, low=math.nan, high=math.nan)
        tail = (1 - INTERVAL_LEVEL) / 2
        low, high = np.quantile(defined, [tail, 1 - tail])
        return Estimate(value=float(value), low=float(low), high=float(high))

    return Metrics(
        num_samples=S,
        kendall_tau=estimate(kendall_tau),
        spearman=estimate(spearman),
        r2=estimate(r2),
        mse=estimate(mse),
    )


def kendall_tau(y_S: np.ndarray, x_S: np.ndarray, c_BS: np.ndarray) -> np.ndarray:
    """(B,) tau-b under each vector of counts."""
    sx, sy = np.sign(x_S[:, None] - x_S), np.sign(y_S[:, None] - y_S)

    def pairs(K_SS: np.ndarray) -> np.ndarray:
        return np.einsum("bs,bs->b", c_BS @ K_SS, c_BS)

    return _ratio(pairs(sx * sy), np.sqrt(pairs(np.abs(sx)) * pairs(np.abs(sy))))


def spearman(y_S: np.ndarray, x_S: np.ndarray, c_BS: np.ndarray) -> np.ndarray:
    """(B,) rank correlation under each vector of counts."""
    centred = []
    for v_S in (x_S, y_S):
        below_SS = (v_S[:, None] > v_S) + 0.5 * (v_S[:, None] == v_S)
        rank_BS = c_BS @ below_SS.T
        centred.append(rank_BS - _mean(rank_BS, c_BS)[:, None])
    a, b = centred
    product = np.sqrt((c_BS * a * a).sum(axis=1) * (c_BS * b * b).sum(axis=1))
    return _ratio((c_BS * a * b).sum(axis=1), product)


def r2(y_S: np.ndarray, x_S: np.ndarray, c_BS: np.ndarray) -> np.ndarray:
    """(B,) share of the variance explained; 0 is no better than the mean, below it is worse."""
    total = (c_BS * (y_S - _mean(y_S, c_BS)[:, None]) ** 2).sum(axis=1)
    return 1.0 - _ratio(c_BS @ (y_S - x_S) ** 2, total)


def mse(y_S: np.ndarray, x_S: np.ndarray, c_BS: np.ndarray) -> np.ndarray:
    """(B,) mean squared error, in squared accuracy."""
    return c_BS @ (y_S - x_S) ** 2 / c_BS.sum(axis=1)


def _mean(v: np.ndarray, c_BS: np.ndarray) -> np.ndarray:
    return (c_BS * v).sum(axis=1) / c_BS.sum(axis=1)


def _ratio(a_B: np.ndarray, b_B: np.ndarray) -> np.ndarray:
    return np.divide(a_B, b_B, out=np.full_like(a_B, np.nan), where=b_B > 1e-30)
