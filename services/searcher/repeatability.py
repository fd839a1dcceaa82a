"""Which networks of a front are too close in latency for one measurement to order them."""

from __future__ import annotations

import itertools

import numpy as np

SPREAD = 0.02
"""Two medians of one network differ by a few per cent on a quiet machine; closer ones are near-duplicates."""


def near_duplicates(latency_ms: np.ndarray, low_ms: np.ndarray, high_ms: np.ndarray) -> np.ndarray:
    """Indices, in order, of the networks whose latency cannot be told from a neighbour's.

    That is so when their intervals [low, high] overlap or they differ by less than SPREAD of the latency; (A,)
    arrays, NaN latencies are never near anything.
    """
    known = np.flatnonzero(~np.isnan(latency_ms))
    order = known[np.argsort(latency_ms[known], kind="stable")]
    near: set[int] = set()
    for a, b in itertools.pairwise(order):
        if latency_ms[b] - latency_ms[a] < SPREAD * latency_ms[b] or low_ms[b] <= high_ms[a]:
            near |= {int(a), int(b)}
    return np.array(sorted(near), dtype=np.int64)
