"""NSGA-II (Deb et al. 2002) over choice vectors: ask for candidates, evaluate them, tell.

pymoo does the selection, the ranking and the crowding; the operators, the archive and a state that can
be stored are ours. No architecture is ever asked for twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.population import Population
from pymoo.core.problem import Problem as PymooProblem
from pymoo.core.termination import NoTermination

from donna.errors import InvalidArgument
from services.searcher.archive import Archive
from services.searcher.operators import distinct, extremes, order_of, uniform_sample
from services.searcher.pymoo_operators import Given, Mating, RankAndCrowding
from services.searcher.state import SearchState

MATING_ROUNDS = 10
"""How often mating is tried before the rest of a generation is drawn at random."""

ENUMERABLE = 200_000
"""Spaces up to this size are listed to find what is left of them, once half of them is used up; before that, and in
larger ones, chance finds enough."""


class Evolution:
    """One search. `tables` are (N, M) costs and qualities, smaller is better, padded with NaN: they give
    the extreme architectures of the first generation and the small steps of mutation. The first generation
    also holds the `initial` (I, N) architectures; it is larger than `population` when these are more.

    Deterministic in `seed`, and equal to an uninterrupted search after `restore`.
    Raises InvalidArgument for a population below 4.
    """

    def __init__(
        self,
        *,
        num_options: Sequence[int],
        num_objectives: int,
        population: int,
        seed: int,
        tables: Sequence[np.ndarray] = (),
        initial: np.ndarray | None = None,
    ) -> None:
        if population < 4:
            raise InvalidArgument.of("population", f"must be at least 4, got {population}")
        self.num_options = np.asarray(num_options, dtype=np.int64)
        self.population = population
        known = [initial, extremes(tables)]
        given = [rows for rows in known if rows is not None and len(rows)]
        none = np.zeros((0, len(num_options)), dtype=np.int64)
        self._given = distinct(np.concatenate([none, *given]))
        orders = [order_of(table) for table in tables]
        self._archive = Archive()
        self._asked = Population()
        self._size = float(np.prod(self.num_options, dtype=float))
        self._algorithm = _Search(
            pop_size=population,
            sampling=Given(self._first),
            mating=Mating(self._archive, self.num_options, orders, MATING_ROUNDS),
            survival=RankAndCrowding(),
            eliminate_duplicates=False,
            seed=seed,
            output=None,
            termination=NoTermination(),
        )
        self._algorithm.termination = NoTermination()  # NSGA2 puts its own in place of the argument
        # Constraints are declared so that survival always looks at G.
        self._algorithm.setup(PymooProblem(n_var=len(self.num_options), n_obj=num_objectives, n_ieq_constr=1))

    @property
    def generation(self) -> int:
        """Generations told so far."""
        return self._archive.generation

    @property
    def exhausted(self) -> bool:
        """Whether every architecture of the space has been evaluated."""
        return len(self._archive.seen) >= self._size

    def ask(self) -> np.ndarray:
        """(A, N) new architectures, none when the space is exhausted; A <= population, but for the first generation."""
        N = len(self.num_options)
        if self.exhausted:
            return np.zeros((0, N), dtype=np.int64)
        found = self._algorithm.ask()
        # pymoo gives up when mating finds nothing new; here chance takes over.
        self._algorithm.termination.force_termination = False
        rows = [] if found is None else [individual.X for individual in found]
        X = np.array(rows, dtype=np.int64).reshape(-1, N)
        if len(X) == len(distinct(X)) == self.population:
            self._asked = found
            return X
        # The first sample may hold repetitions, and in a space nearly used up mating finds too few.
        X = self._fill(distinct(X))
        self._asked = Population.new("X", X)
        return X

    def tell(self, X: np.ndarray, F: np.ndarray, G: np.ndarray) -> None:
        """Takes the (A, K) objectives and (A, B) violations of what `ask` returned, in that order."""
        _set(self._asked, F, G, np.arange(len(X)) + len(self._archive.seen))
        self._archive.add(X, F, G)
        self._algorithm.tell(infills=self._asked)

    @property
    def archive(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """X, F and G of everything evaluated, in order."""
        return self._archive.arrays()

    def revalue(self, F: np.ndarray, G: np.ndarray) -> None:
        """Replaces the archive's F and G (better values became known); the population is chosen anew."""
        X, _, _ = self.archive
        self._archive.replace(F, G)
        every = Population.new("X", X)
        _set(every, F, G, np.arange(len(X)))
        algorithm = self._algorithm
        algorithm.pop = algorithm.survival.do(
            algorithm.problem, every, n_survive=self.population, random_state=algorithm.random_state
        )

    def state(self) -> SearchState:
        """With the archive, everything needed to go on exactly as if nothing had happened; call it between
        generations."""
        pop = self._algorithm.pop
        known = [(ind.data.get("rank"), ind.data.get("crowding")) for ind in pop]
        nan = float("nan")
        return SearchState(
            survivors=np.array([ind.data["row"] for ind in pop], dtype=np.int64),
            rank=np.array([nan if r is None else float(r) for r, _ in known]),
            crowding=np.array([nan if c is None else float(c) for _, c in known]),
            generation=self.generation,
            generator=self._algorithm.random_state.bit_generator.state,
        )

    def restore(self, state: SearchState, X: np.ndarray, F: np.ndarray, G: np.ndarray) -> None:
        """Continues from `state` and its archive; everything else must have been built with the same arguments."""
        self._archive.load(X, F, G, state.generation)
        pop = Population.new("X", X[state.survivors])
        _set(pop, F[state.survivors], G[state.survivors], state.survivors)
        for individual, rank, crowding in zip(pop, state.rank, state.crowding, strict=True):
            if not np.isnan(rank):
                individual.set("rank", int(rank))
                individual.set("crowding", float(crowding))
        algorithm = self._algorithm
        algorithm.random_state.bit_generator.state = state.generator
        algorithm.pop, algorithm.is_initialized, algorithm.n_iter = pop, True, state.generation + 1

    def _first(self, count: int, generator: np.random.Generator) -> np.ndarray:
        X = uniform_sample(max(count, len(self._given)), self.num_options, generator)
        X[: len(self._given)] = self._given
        return X

    def _fill(self, X: np.ndarray) -> np.ndarray:
        """Tops `X` up to a full generation with random architectures that are new."""
        taken = {row.tobytes() for row in X} | self._archive.seen
        missing = int(min(self.population - len(X), self._size - len(taken)))
        if missing <= 0:
            return X
        generator = self._algorithm.random_state
        if self._size <= ENUMERABLE and len(taken) > self._size / 2:
            every = (
                np.indices(self.num_options.tolist()).reshape(len(self.num_options), -1).T.astype(np.int64)
            )
            fresh = every[[row.tobytes() not in taken for row in np.ascontiguousarray(every)]]
            return np.concatenate([X, fresh[generator.permutation(len(fresh))[:missing]]])
        rows: list[np.ndarray] = []
        while len(rows) < missing:
            for row in uniform_sample(missing, self.num_options, generator):
                if row.tobytes() not in taken and len(rows) < missing:
                    taken.add(row.tobytes())
                    rows.append(row)
        return np.concatenate([X, np.stack(rows)])


class _Search(NSGA2):
    """NSGA-II that leaves the front to the archive: its own would hold only the population's."""

    def _set_optimum(self, **kwargs: Any) -> None:
        self.opt = None


def _set(pop: Population, F: np.ndarray, G: np.ndarray, rows: np.ndarray) -> None:
    # F of an architecture that could not be measured is never compared, but must not be NaN.
    known = np.where(np.isnan(F), np.inf, F)
    violation = np.maximum(G, 0.0).sum(axis=1, keepdims=True)
    for individual, f, cv, row in zip(pop, known, violation, rows.tolist(), strict=True):
        individual.F, individual.CV = f, cv
        individual.data["row"] = row
