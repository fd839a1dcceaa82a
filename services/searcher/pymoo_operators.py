"""The operators in the form that pymoo's NSGA-II calls, and the rule that nothing is evaluated twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pymoo.core.crossover import Crossover
from pymoo.core.duplicate import DuplicateElimination
from pymoo.core.mutation import Mutation
from pymoo.core.sampling import Sampling

from services.searcher.archive import Archive
from services.searcher.operators import exchange, mutate


class Given(Sampling):
    """First generation from a function of (count, generator)."""

    def __init__(self, draw: Callable[[int, np.random.Generator], np.ndarray]) -> None:
        super().__init__()
        self.draw = draw

    def _do(self, problem: Any, n_samples: int, *args: Any, random_state: Any = None, **kwargs: Any) -> Any:
        return self.draw(n_samples, random_state)


class Exchange(Crossover):
    """Uniform crossover of two parents, with probability 0.9."""

    def __init__(self) -> None:
        super().__init__(2, 2, prob=0.9)

    def _do(self, problem: Any, X: Any, *args: Any, random_state: Any = None, **kwargs: Any) -> Any:
        return exchange(X, random_state)


class Change(Mutation):
    """Mutation of every child, 1/N for each block."""

    def __init__(self, num_options: np.ndarray, orders: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
        super().__init__(prob=1.0)
        self.num_options, self.orders = num_options, orders

    def _do(self, problem: Any, X: Any, *args: Any, random_state: Any = None, **kwargs: Any) -> Any:
        return mutate(X.astype(np.int64), self.num_options, random_state, self.orders)


class Unseen(DuplicateElimination):
    """Drops what was evaluated before or stands earlier in the same generation."""

    def __init__(self, archive: Archive) -> None:
        super().__init__()
        self.archive = archive

    def do(self, pop: Any, *others: Any, **kwargs: Any) -> Any:
        taken: set[bytes] = set()
        for other in others:
            if len(other):
                taken.update(row.tobytes() for row in other.get("X").astype(np.int64))
        keep = []
        for i, row in enumerate(pop.get("X").astype(np.int64)):
            key = row.tobytes()
            if key not in taken and key not in self.archive.seen:
                taken.add(key)
                keep.append(i)
        return pop[keep]
