"""How a predicted accuracy is distributed over the whole space."""

from __future__ import annotations

import numpy as np

from donna.space.accuracy_tables import AccuracyTables
from donna.space.target import inverse
from services.searcher.accuracy import PredictedAccuracy, as_answered
from services.searcher.distribution import Range, sampled_range
from services.searcher.operators import uniform_sample

ENUMERABLE = 100_000
"""Spaces up to this size are evaluated in full."""

SAMPLES = 4_001
STARTS = 8


def accuracy_range(predicted: PredictedAccuracy, generator: np.random.Generator) -> Range:
    """Exact for spaces up to ENUMERABLE. Of a larger one the median is that of a uniform sample.

    Its ends are exact for a predictor of first order. Else they are the best that descent from the best of the sample
    reaches, one block at a time: nearly always the true ones, and `limits` is what they cannot exceed.
    """
    tables = predicted.tables
    counts = np.asarray(tables.num_options)
    if np.prod(counts, dtype=float) <= ENUMERABLE:
        every = np.indices(tables.num_options).reshape(len(counts), -1).T
        return sampled_range(predicted(np.ascontiguousarray(every)), exact=True)
    limits = target_limits(tables)
    ends = limits
    X = uniform_sample(SAMPLES, counts, generator)
    t_A = tables.targets(X)
    order = np.argsort(t_A, kind="stable")
    if tables.inputs:
        ends = (descend(tables, X[order[:STARTS]], 1.0), descend(tables, X[order[-STARTS:]], -1.0))
    values = np.array([*limits, *ends, t_A[order[SAMPLES // 2]]])
    least, most, smallest, largest, median = as_answered(inverse(tables.target, values)).tolist()
    return Range(smallest=smallest, median=median, largest=largest, exact=False, limits=(least, most))


def target_limits(tables: AccuracyTables) -> tuple[float, float]:
    """Values of the target that no network lies outside of; those of the best and worst one for a first order.

    Interval arithmetic: each product of two blocks' inputs is taken at the best corner of their ranges.
    """
    low = tables.constant + sum(float(unary_M.min()) for unary_M in tables.unary)
    high = tables.constant + sum(float(unary_M.max()) for unary_M in tables.unary)
    if tables.inputs:
        ends = [np.concatenate([end(z_MK, axis=0) for z_MK in tables.inputs]) for end in (np.min, np.max)]
        corners = np.stack([np.outer(a_D, b_D) * tables.cross_DD for a_D in ends for b_D in ends])
        low, high = low + float(corners.min(axis=0).sum()), high + float(corners.max(axis=0).sum())
    return low, high


def descend(tables: AccuracyTables, starts_SN: np.ndarray, sign: float) -> float:
    """The value of the target with the least `sign` * value that changing one block at a time reaches from any start.

    What an option of block n adds depends on the others' inputs alone, so all options are weighed at once.
    """
    X = starts_SN.copy()
    Z_SD = np.concatenate([z_MK[X[:, n]] for n, z_MK in enumerate(tables.inputs)], axis=1)
    coupling_DD = tables.cross_DD + tables.cross_DD.T
    firsts = np.cumsum([0, *(z_MK.shape[1] for z_MK in tables.inputs)])
    rows, changed = np.arange(len(X)), True
    while changed:
        changed = False
        for n, (unary_M, z_MK) in enumerate(zip(tables.unary, tables.inputs, strict=True)):
            own = slice(firsts[n], firsts[n + 1])
            added_SM = sign * (unary_M + Z_SD @ coupling_DD[:, own] @ z_MK.T)
            best_S = np.argmin(added_SM, axis=1)
            better = added_SM[rows, best_S] < added_SM[rows, X[:, n]] - 1e-12
            X[better, n] = best_S[better]
            Z_SD[:, own] = z_MK[X[:, n]]
            changed |= bool(better.any())
    return sign * float((sign * tables.targets(X)).min())
