"""What a search has found so far, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.searcher.problem import Problem, Values


@dataclass(frozen=True, kw_only=True)
class Found:
    """Everything a search has evaluated: rows X (A, N), the generation (A,) that asked for them, 0 where none did, and
    their values (A,) by metric."""

    X: np.ndarray
    generation: np.ndarray
    values: Values

    def including(self, networks: Sequence[tuple[int, ...]], problem: Problem) -> Found:
        """The same with these networks, of which only what needs no device is known here: latencies are NaN."""
        have = set(map(tuple, self.X.tolist()))
        more = np.array([row for row in networks if row not in have], dtype=np.int64).reshape(
            -1, self.X.shape[1]
        )
        if not len(more):
            return self
        predicted = problem.predicted(more)
        unknown = np.full(len(more), np.nan)
        return Found(
            X=np.concatenate([self.X, more]),
            generation=np.concatenate([self.generation, np.zeros(len(more), dtype=np.int64)]),
            values={
                metric: np.concatenate([column, predicted.get(metric, unknown)])
                for metric, column in self.values.items()
            },
        )
