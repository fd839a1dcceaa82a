"""The true front by dynamic programming, where every metric adds up over the blocks.

Block by block, every partial architecture that another one beats or equals in all metrics is dropped: what
follows adds the same to both, so it can never catch up. Peak activation memory is a maximum, not a sum,
which keeps that argument intact. The number of partial architectures stays near the size of the front,
not of the space.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from donna.errors import ResourceExhausted
from services.searcher.metric import Bound, Metric
from services.searcher.pareto import non_dominated

MAX_PARTIAL = 2_000_000
"""Rows that one step may look at: memory stays below about half a gigabyte."""


@dataclass(frozen=True, kw_only=True)
class Term:
    """One metric as a table of (N, M) contributions, padded with NaN, and what the fixed parts add.

    `maximum` says that the parts combine by their largest, not by their sum. `to_scale` of a bound's limit and its sign
    (1 for a maximum, -1 for a minimum) is that limit on the scale on which the metric adds up.
    """

    metric: Metric
    table: np.ndarray
    offset: float
    maximum: bool = False
    to_scale: Callable[[float, float], float] = lambda limit, sign: limit

    def add(self, partial: np.ndarray, n: int, options: np.ndarray) -> np.ndarray:
        """(P, M) values of every partial value (P,) with every option (M,) of block n."""
        step = self.table[n, options]
        if self.maximum:
            return np.maximum(partial[:, None], step)
        return partial[:, None] + step


def exact_front(
    num_options: Sequence[int],
    objectives: Sequence[Metric],
    bounds: Sequence[Bound],
    terms: Sequence[Term],
    *,
    check: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """(P, N) architectures of the true front within the bounds, one for each distinct point of it.

    `terms` holds one term for each metric of the objectives and bounds. `check` is called before each block, and may
    raise to stop it. Raises ResourceExhausted when a step
    would look at more than MAX_PARTIAL partial architectures.
    """
    by_metric = {term.metric: term for term in terms}
    limits = [
        (by_metric[bound.metric], sign, by_metric[bound.metric].to_scale(limit, sign))
        for bound in bounds
        for sign, limit in ((-1.0, bound.minimum), (1.0, bound.maximum))
        if limit is not None
    ]
    # Whatever a partial architecture must be compared by: objectives as they are, bounds in their direction.
    directions = dict.fromkeys([(metric, metric.sign) for metric in objectives])
    directions |= dict.fromkeys([(term.metric, sign) for term, sign, _ in limits])
    X = np.zeros((1, 0), dtype=np.int64)
    partial = {term.metric: np.array([term.offset]) for term in terms}
    for n, count in enumerate(num_options):
        check()
        if len(X) * count > MAX_PARTIAL:
            raise ResourceExhausted(
                f"the exact front needs {len(X) * count} partial architectures at block {n}, more than "
                f"{MAX_PARTIAL}; use fewer objectives or NSGA-II",
                reason="FRONT_TOO_LARGE",
            )
        options = np.arange(count)
        partial = {term.metric: term.add(partial[term.metric], n, options).ravel() for term in terms}
        X = np.c_[np.repeat(X, count, axis=0), np.tile(options, len(X))]
        keep = np.ones(len(X), dtype=bool)
        for term, sign, limit in limits:
            keep &= sign * _completed(term, partial[term.metric], n, sign) <= sign * limit
        rows = np.flatnonzero(keep)
        F = np.stack([sign * partial[metric][rows] for metric, sign in directions], axis=1)
        rows = rows[_distinct_front(F)]
        X = X[rows]
        partial = {metric: values[rows] for metric, values in partial.items()}
    F = np.stack([metric.sign * partial[metric] for metric in objectives], axis=1)
    return X[_distinct_front(F)]


def _completed(term: Term, partial: np.ndarray, n: int, sign: float) -> np.ndarray:
    """The best that each partial architecture can become after block n, in the direction of `sign`."""
    rest = term.table[n + 1 :]
    if not len(rest):
        return partial
    best = np.nanmin(rest, axis=1) if sign > 0 else np.nanmax(rest, axis=1)
    return np.maximum(partial, best.max()) if term.maximum else partial + best.sum()


def _distinct_front(F: np.ndarray) -> np.ndarray:
    """Indices of the front, the first one of equal rows only."""
    if not len(F):
        return np.zeros(0, dtype=np.int64)
    first = np.sort(np.unique(F, axis=0, return_index=True)[1])
    return first[non_dominated(F[first])]
