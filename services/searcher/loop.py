"""The evolution with what it has found: evaluates generation after generation, keeps the values, follows the
hypervolume. It can be stored after every generation and goes on from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from services.searcher.arrays import decode, encode
from services.searcher.evaluations import Evaluations
from services.searcher.evolution import Evolution
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
    counted, as objectives to be minimised; NaN where unknown: the first generation with a feasible network
    fills those in."""

    def __init__(self, problem: Problem, evolution: Evolution, ideal: np.ndarray, worst: np.ndarray) -> None:
        self.problem, self.evolution = problem, evolution
        self.ideal, self.worst = ideal.astype(float), worst.astype(float)
        self.history: list[Generation] = []
        self._values: list[np.ndarray] = []
        self._sizes: list[int] = []
        self._front = np.zeros((0, len(problem.objectives)))

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
        self._values.append(np.stack([found.values[metric] for metric in self.problem.metrics], axis=1))
        self._sizes.append(len(X))
        self._follow(found.F, found.G)
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
        self._values = [np.concatenate(self._values)]
        return {metric: self._values[0][:, v] for v, metric in enumerate(self.problem.metrics)}

    def front(self) -> np.ndarray:
        """Rows of X that are feasible and not dominated."""
        _, F, G = self.evolution.archive
        return non_dominated(F, G)

    def revalue(self, values: Values) -> None:
        """Takes better values for everything evaluated; the population is chosen anew."""
        self._values = [np.stack([values[metric] for metric in self.problem.metrics], axis=1)]
        found = self.problem.judge(values)
        self.evolution.revalue(found.F, found.G)
        self._front = self._front[:0]
        self._front = found.F[non_dominated(found.F, found.G)]

    def _follow(self, F: np.ndarray, G: np.ndarray) -> None:
        feasible = F[(G <= 0).all(axis=1)]
        if len(feasible):
            self.ideal = np.where(np.isnan(self.ideal), feasible.min(axis=0), self.ideal)
            self.worst = np.where(np.isnan(self.worst), feasible.max(axis=0), self.worst)
            merged = np.concatenate([self._front, feasible])
            self._front = merged[non_dominated(merged)]
        volume = hypervolume(self._front, self.worst, self.ideal) if len(self._front) else 0.0
        self.history.append(
            Generation(
                generation=self.generation,
                num_evaluations=sum(self._sizes),
                hypervolume=volume,
                front_size=len(self._front),
            )
        )

    def save(self) -> dict[str, Any]:
        """All of it as JSON values; call it between generations."""
        self._values = [np.concatenate(self._values)]
        arrays = {
            "ideal": self.ideal,
            "worst": self.worst,
            "front": self._front,
            "sizes": np.array(self._sizes),
            "others": self._values[0][:, len(self.problem.objectives) :],
        }
        return {
            "evolution": self.evolution.state().to_json(),
            "history": [vars(generation) for generation in self.history],
            **{name: encode(array) for name, array in arrays.items()},
        }

    def load(self, saved: dict[str, Any]) -> None:
        """Goes on from what `save` returned. Raises DataLoss when it cannot be read."""
        self.evolution.restore(SearchState.from_json(saved["evolution"]))
        names = ("ideal", "worst", "front", "sizes", "others")
        self.ideal, self.worst, self._front, sizes, others = (
            decode(saved.get(name), "a stored search") for name in names
        )
        # Objectives are metrics up to their sign, and metrics begin with the objectives.
        signs = np.array([metric.sign for metric in self.problem.objectives])
        self._values = [np.concatenate([self.evolution.archive[1] * signs, others], axis=1)]
        self._sizes = sizes.tolist()
        self.history = [Generation(**generation) for generation in saved["history"]]


def saved_evaluations(saved: dict[str, Any], spec: SearchSpec) -> Evaluations:
    """What a stored loop had evaluated: the table of a search that has not succeeded (yet), without notes.

    Raises DataLoss when it cannot be read.
    """
    state = SearchState.from_json(saved["evolution"])
    signs = np.array([metric.sign for metric in spec.objectives])
    others = decode(saved.get("others"), "a stored search")
    sizes = decode(saved.get("sizes"), "a stored search")
    values = np.concatenate([state.F * signs, others], axis=1)
    return Evaluations.of(
        spec.metrics,
        spec.devices,
        state.X,
        np.repeat(np.arange(1, len(sizes) + 1), sizes),
        {metric: values[:, v] for v, metric in enumerate(spec.metrics)},
        np.all(state.G <= 0, axis=1),
        [[""] * len(spec.devices)] * len(state.X),
    )
