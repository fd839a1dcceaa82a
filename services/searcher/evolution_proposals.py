"""The front by evolution: generation after generation, each stored, watchers told now and then."""

from __future__ import annotations

import time

import numpy as np

from services.searcher.evolution import Evolution
from services.searcher.found import Found
from services.searcher.library_tables import cost_table
from services.searcher.loop import Loop
from services.searcher.metric import COSTS
from services.searcher.search import Search

TELL_S, TELLING_SHARE = 0.2, 0.05
"""A state is stored after every generation, but watchers are told this often at most, and for this share of the time:
nobody reads faster, and a long front takes long to tell."""


class EvolutionProposals:
    """Proposals by NSGA-II; goes on from the job's checkpoint. See `refinement.Proposals`."""

    def __init__(self, search: Search) -> None:
        spec, library = search.spec, search.library
        N = len(library.num_options)
        self._search = search
        evolution = Evolution(
            num_options=library.num_options,
            num_objectives=len(spec.objectives),
            population=spec.population,
            seed=spec.seed,
            tables=[library.quality_table(), *(cost_table(library, name) for name in COSTS)],
            initial=np.array(spec.initial, dtype=np.int64).reshape(-1, N),
        )
        ideal, worst = search.standing.box()
        self._loop = Loop(search.problem, evolution, ideal=ideal, worst=worst)
        saved = search.report.saved() or {"round": 0, "extra": [], "loop": None}
        self.rounds = int(saved["round"])
        self.extra = np.array(saved["extra"], dtype=np.int64).reshape(-1, N)
        if saved["loop"] is not None:
            self._loop.load(saved["loop"], search.report.saved_parts())
            search.standing.history = self._loop.history
            if search.fleet is not None:
                search.fleet.recall(self._loop.X, spec.devices)

    def search(self) -> None:
        spec, loop = self._search.spec, self._loop
        until = spec.generations + self.rounds * max(5, spec.generations // 5)
        start, span = (0.5, 0.2) if self._search.latencies.by_table else (0.02, 0.95)
        tell_at, share = 0.0, span / until
        while loop.generation < until and not self._spent:
            label = f"generation {loop.generation + 1} of {until}"
            self._search.stage.enter(start + share * loop.generation, share, spec.population, label)
            if not loop.step():
                break
            began = time.monotonic()
            tell = loop.generation == until or began > tell_at
            self._store(tell=tell, fraction=start + share * loop.generation, message=label)
            if tell:
                now = time.monotonic()
                tell_at = now + max(TELL_S, (now - began) / TELLING_SHARE)

    def _store(self, *, tell: bool, fraction: float, message: str) -> None:
        self._search.standing.history = self._loop.history
        told = self._search.standing.running(self._loop) if tell else None
        state, part = self._loop.save()
        fleet = self._search.fleet
        self._search.report.save(
            {
                "round": self.rounds,
                "extra": self.extra.tolist(),
                "loop": state,
                "fingerprints": fleet.fingerprints if fleet is not None else {},
            },
            part=part,
            partial=told,
            fraction=fraction,
            message=message,
        )

    @property
    def _spent(self) -> bool:
        """Whether candidates cannot be measured any more."""
        fleet = self._search.fleet
        return fleet is not None and not self._search.latencies.by_table and fleet.exhausted

    def front(self) -> np.ndarray:
        return self._loop.X[self._loop.front()]

    def nearest(self, count: int) -> np.ndarray:
        X, _, G = self._loop.evolution.archive
        unknown = np.flatnonzero(self._search.latencies.unknown(X))
        violation = np.maximum(G[unknown], 0.0).sum(axis=1)
        return X[unknown[np.argsort(violation, kind="stable")[:count]]]

    def correct(self) -> None:
        loop = self._loop
        loop.revalue(self._search.latencies.best_known(loop.X, loop.values))

    def found(self) -> Found:
        if not self._loop.generation:  # nothing could be measured any more
            unknown = {metric: np.zeros(0) for metric in self._search.problem.metrics}
            return Found(X=self.extra[:0], generation=np.zeros(0, dtype=np.int64), values=unknown)
        return Found(X=self._loop.X, generation=self._loop.generations, values=self._loop.values)
