"""The parts of NSGA-II in the form that pymoo calls, on whole arrays instead of one individual at a time.

The rules are those of pymoo's own parts (binary tournament by violation, dominance and crowding; survival by rank
and crowding, infeasible ones last and by violation), and so are the sorting and the crowding distance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pymoo.core.population import Population
from pymoo.core.sampling import Sampling
from pymoo.core.survival import Survival
from pymoo.operators.survival.rank_and_crowding.metrics import get_crowding_function
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting
from pymoo.util.randomized_argsort import randomized_argsort

from services.searcher.archive import Archive
from services.searcher.operators import exchange, mutate

CROSSOVER = 0.9
"""Share of couples that exchange blocks; the others' children differ from them by mutation alone."""


class Given(Sampling):
    """First generation from a function of (count, generator)."""

    def __init__(self, draw: Callable[[int, np.random.Generator], np.ndarray]) -> None:
        super().__init__()
        self.draw = draw

    def _do(self, problem: Any, n_samples: int, *args: Any, random_state: Any = None, **kwargs: Any) -> Any:
        return self.draw(n_samples, random_state)


class Mating:
    """Children of tournament winners; those that were evaluated before are dropped and made anew, `rounds`
    times at most."""

    def __init__(
        self,
        archive: Archive,
        num_options: np.ndarray,
        orders: Sequence[tuple[np.ndarray, np.ndarray]],
        rounds: int,
    ) -> None:
        self.archive, self.num_options, self.orders, self.rounds = archive, num_options, orders, rounds

    def do(
        self, problem: Any, pop: Any, n_offsprings: int, random_state: Any = None, **kwargs: Any
    ) -> Population:
        """Up to `n_offsprings` new individuals."""
        X = np.array([individual.X for individual in pop])
        F, CV = objectives(pop)
        crowding = np.array([individual.data.get("crowding", 0.0) for individual in pop])
        children: list[np.ndarray] = []
        taken: set[bytes] = set()
        for _ in range(self.rounds):
            couples = (n_offsprings - len(children) + 1) // 2
            winners = tournament(F, CV, crowding, 2 * couples, random_state)
            parents = X[winners].reshape(couples, 2, -1).swapaxes(0, 1)
            crossed = random_state.random(couples) < CROSSOVER
            exchanged = exchange(parents, random_state)
            pairs = np.where(crossed[None, :, None], exchanged, parents)
            for row in mutate(pairs.reshape(2 * couples, -1), self.num_options, random_state, self.orders):
                key = row.tobytes()
                if len(children) < n_offsprings and key not in taken and key not in self.archive.seen:
                    taken.add(key)
                    children.append(row)
            if len(children) == n_offsprings:
                break
        return Population.new("X", np.array(children, dtype=np.int64).reshape(-1, X.shape[1]))


def objectives(pop: Population) -> tuple[np.ndarray, np.ndarray]:
    """(A, K) objectives and (A,) violations; `Population.get` takes several times as long."""
    return np.array([individual.F for individual in pop]), np.array([individual.CV[0] for individual in pop])


def tournament(
    F: np.ndarray, CV: np.ndarray, crowding: np.ndarray, count: int, generator: np.random.Generator
) -> np.ndarray:
    """(count,) winners of binary tournaments: less violation, else dominance, else more room, else chance."""
    rounds = -(-2 * count // len(F))
    drawn = np.concatenate([generator.permutation(len(F)) for _ in range(rounds)])[: 2 * count]
    a, b = drawn.reshape(count, 2).T
    infeasible = (CV[a] > 0) | (CV[b] > 0)
    below = (F[a] <= F[b]).all(axis=1)
    above = (F[b] <= F[a]).all(axis=1)
    dominance = above.astype(float) - below
    with np.errstate(invalid="ignore"):
        room = np.where(dominance != 0, dominance, crowding[b] - crowding[a])
        better = np.where(infeasible, CV[a] - CV[b], room)
    # Two with infinite room (ends of the front) give NaN here: neither is better.
    chance = np.where(generator.random(count) < 0.5, a, b)
    return np.where(better < 0, a, np.where(better > 0, b, chance))


class RankAndCrowding(Survival):
    """Survival by rank, then crowding. Writes both into the survivors."""

    def __init__(self) -> None:
        super().__init__(filter_infeasible=False)
        self._sorting = NonDominatedSorting()
        self._crowding = get_crowding_function("cd")

    def do(
        self, problem: Any, pop: Any, *args: Any, n_survive: int = 0, random_state: Any = None, **kwargs: Any
    ) -> Any:
        """The `n_survive` best of a population."""
        F, CV = objectives(pop)
        feasible = np.flatnonzero(CV <= 0)
        survivors: list[int] = []
        for k, front in enumerate(self._sorting.do(F[feasible], n_stop_if_ranked=n_survive)):
            room = n_survive - len(survivors)
            crowding = self._crowding.do(F[feasible[front]], n_remove=max(0, len(front) - room))
            chosen = np.arange(len(front))
            if len(front) > room:
                chosen = randomized_argsort(crowding, order="descending", random_state=random_state)[:room]
            for j in chosen:
                pop[feasible[front[j]]].data.update(rank=k, crowding=crowding[j])
            survivors.extend(feasible[front[chosen]])
        infeasible = np.flatnonzero(CV > 0)
        by_violation = infeasible[np.argsort(CV[infeasible], kind="stable")]
        survivors.extend(by_violation[: n_survive - len(survivors)])
        return pop[survivors]
