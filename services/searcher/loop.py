"""The evolution with what it has found: evaluates generation after generation, keeps the values, follows the
hypervolume. It can be stored after every generation and goes on from there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from services.searcher.arrays import decode, encode
from services.searcher.evaluations import Evaluations
from services.searcher.evolution import Evolution
from services.searcher.growing import Growing
from services.searcher.metric import Metric
from services.searcher.pareto import hypervolume, non_dominated
from services.searcher.problem import Problem, Values
from services.searcher.spec import SearchSpec
from services.searcher.state import SearchState


@dataclass(frozen=True, kw_only=True)
class Generation:
    """How the search stood after a generation."""

    generation: int
    num_evaluations: int
    hypervolume: float
    front_size: int


class Loop:
    """One evolution of one problem. `ideal` and `worst` (K,) are the corners of the box in which hypervolume is
    counted, as objectives to be minimised. Nothing is better than `ideal`, so no hypervolume exceeds 1; `worst`
    is NaN where unknown: the first generation with a feasible network fills that in."""

    def __init__(self, problem: Problem, evolution: Evolution, ideal: np.ndarray, worst: np.ndarray) -> None:
        self.problem, self.evolution = problem, evolution
        self.ideal, self.worst = ideal.astype(float), worst.astype(float)
        self.history: list[Generation] = []
        self._values = Growing()
        self._sizes: list[int] = []
        self._front = np.zeros(0, dtype=np.int64)
        self._stored = self._stored_parts = 0

    @property
    def generation(self) -> int:
        """Generations done."""
        return self.evolution.generation

    def step(self) -> bool:
        """One generation; False when every architecture of the space has been evaluated before."""
        X = self.evolution.ask()
        if not len(X):
            return False
        found = self.problem.evaluate(X)
        self.evolution.tell(X, found.F, found.G)
        self._values.append(self._columns(found.values))
        self._sizes.append(len(X))
        self._follow(len(X))
        return True

    @property
    def X(self) -> np.ndarray:
        """(A, N) everything evaluated, in order."""
        return self.evolution.archive[0]

    @property
    def generations(self) -> np.ndarray:
        """(A,) the generation of each row of X, from 1."""
        return np.repeat(np.arange(1, len(self._sizes) + 1), self._sizes)

    @property
    def values(self) -> Values:
        """(A,) values of every metric of the problem."""
        rows = self._values.rows
        return {metric: rows[:, v] for v, metric in enumerate(self.problem.metrics)}

    def front(self) -> np.ndarray:
        """Rows of X that are feasible and not dominated, in order."""
        return self._front

    def revalue(self, values: Values) -> None:
        """Takes better values for everything evaluated; the population is chosen anew."""
        self._values.replace(self._columns(values))
        found = self.problem.judge(values)
        self.evolution.revalue(found.F, found.G)
        self._front = non_dominated(found.F, found.G)
        self._stored = self._stored_parts = 0

    def _columns(self, values: Values) -> np.ndarray:
        """(A, V) in the order of the problem's metrics."""
        return np.stack([values[metric] for metric in self.problem.metrics], axis=1)

    def _follow(self, count: int) -> None:
        """Takes the last `count` rows into the front and the hypervolume into the history."""
        _, F, G = self.evolution.archive
        fresh = np.arange(len(F) - count, len(F))
        fresh = fresh[(G[fresh] <= 0).all(axis=1)]
        if len(fresh):
            self.worst = np.where(np.isnan(self.worst), F[fresh].max(axis=0), self.worst)
            rows = np.concatenate([self._front, fresh])
            self._front = rows[non_dominated(F[rows])]
        volume = hypervolume(F[self._front], self.worst, self.ideal) if len(self._front) else 0.0
        self.history.append(
            Generation(
                generation=self.generation,
                num_evaluations=len(F),
                hypervolume=volume,
                front_size=len(self._front),
            )
        )

    def save(self) -> tuple[dict[str, Any], tuple[int, dict[str, Any]]]:
        """All of it as JSON values: a state that does not grow, and (number, values) of the part that holds what
        was evaluated since the last call. Call it between generations, and store what it returns."""
        X, F, G = (array[self._stored :] for array in self.evolution.archive)
        since = int(np.searchsorted(np.cumsum(self._sizes), self._stored, side="right"))
        arrays = {
            "X": X.astype(np.min_scalar_type(int(X.max(initial=0)))),  # most of the bytes would be zeros
            "F": F,
            "G": G,
            "others": self._values.rows[self._stored :, len(self.problem.objectives) :],
        }
        part = {
            "sizes": self._sizes[since:],
            "history": [vars(generation) for generation in self.history[since:]],
            **{name: encode(array) for name, array in arrays.items()},
        }
        number, self._stored, self._stored_parts = self._stored_parts, len(self.X), self._stored_parts + 1
        box = {"ideal": encode(self.ideal), "worst": encode(self.worst)}
        return {"evolution": self.evolution.state().to_json(), **box}, (number, part)

    def load(self, state: dict[str, Any], parts: Sequence[dict[str, Any]]) -> None:
        """Goes on from what `save` returned: its last state and all parts. Raises DataLoss when they cannot be
        read."""
        stored = Stored.of(parts)
        self.evolution.restore(SearchState.from_json(state["evolution"]), stored.X, stored.F, stored.G)
        self.ideal, self.worst = (decode(state.get(name), "a stored search") for name in ("ideal", "worst"))
        self._values.replace(stored.values(self.problem.objectives))
        self._sizes, self.history = stored.sizes, stored.history
        self._front = non_dominated(stored.F, stored.G)
        self._stored, self._stored_parts = len(stored.X), len(parts)


@dataclass(frozen=True, kw_only=True)
class Stored:
    """The parts of a stored search, put together; see `Loop.save`."""

    X: np.ndarray
    F: np.ndarray
    G: np.ndarray
    others: np.ndarray
    sizes: list[int]
    history: list[Generation]

    @classmethod
    def of(cls, parts: Sequence[dict[str, Any]]) -> Stored:
        """At least one part. Raises DataLoss."""
        arrays = {
            name: np.concatenate([decode(part.get(name), "a stored search") for part in parts])
            for name in ("X", "F", "G", "others")
        }
        arrays["X"] = arrays["X"].astype(np.int64)
        return cls(
            **arrays,
            sizes=[size for part in parts for size in part["sizes"]],
            history=[Generation(**values) for part in parts for values in part["history"]],
        )

    def values(self, objectives: Sequence[Metric]) -> np.ndarray:
        """(A, V) values: objectives are metrics up to their sign, and metrics begin with the objectives."""
        return np.concatenate(
            [self.F * np.array([metric.sign for metric in objectives]), self.others], axis=1
        )


def saved_evaluations(parts: Sequence[dict[str, Any]], spec: SearchSpec) -> Evaluations:
    """What a stored loop had evaluated: the table of a search that has not succeeded (yet), without notes.

    Raises DataLoss when it cannot be read.
    """
    stored = Stored.of(parts)
    values = stored.values(spec.objectives)
    return Evaluations.of(
        spec.metrics,
        spec.devices,
        stored.X,
        np.repeat(np.arange(1, len(stored.sizes) + 1), stored.sizes),
        {metric: values[:, v] for v, metric in enumerate(spec.metrics)},
        np.all(stored.G <= 0, axis=1),
        [[""] * len(spec.devices)] * len(stored.X),
    )
