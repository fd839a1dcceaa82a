"""The true front where metrics add up over the blocks, by dynamic programming; see `exact`."""

from __future__ import annotations

import numpy as np

from donna.errors import FailedPrecondition
from services.searcher.exact import Term, exact_front
from services.searcher.found import Found
from services.searcher.library_tables import cost_term
from services.searcher.metric import COSTS, LATENCY_MS
from services.searcher.problem import violations
from services.searcher.search import Search


class ExactProposals:
    """Nothing is stored between rounds: the front is found anew, and what was measured is on record.
    See `refinement.Proposals`.

    Raises FailedPrecondition when the predicted accuracy does not add up over the blocks.
    """

    def __init__(self, search: Search) -> None:
        self._search = search
        spec, library = search.spec, search.library
        self._terms = [cost_term(library, metric.name) for metric in spec.metrics if metric.name in COSTS]
        if spec.needs_predictor and search.accuracy is not None:
            if (term := search.accuracy.term()) is None:
                raise FailedPrecondition(
                    "the predicted accuracy does not add up over the blocks, so no exact front exists; "
                    "use a first-order predictor or NSGA-II",
                    reason="NOT_ADDITIVE",
                )
            self._terms.append(term)
        self.rounds = 0
        self.extra = self._front = np.zeros((0, len(library.num_options)), dtype=np.int64)
        self._stale = True

    def search(self) -> None:
        if self._stale:
            self.correct()

    def correct(self) -> None:
        self._front = self._exact(latencies_bounded=True)
        self._stale = False

    def front(self) -> np.ndarray:
        return self._front

    def nearest(self, count: int) -> np.ndarray:
        """Of the front without bounds on latency."""
        search = self._search
        X = self._exact(latencies_bounded=False)
        X = X[search.latencies.unknown(X)]
        values = search.latencies.best_known(X, search.problem.predicted(X))
        violation = np.maximum(violations(search.spec.bounds, values, len(X)), 0.0).sum(axis=1)
        return X[np.argsort(violation, kind="stable")[:count]]

    def found(self) -> Found:
        X = np.unique(np.concatenate([self.extra, self._front]), axis=0)
        values = self._search.problem.predicted(X)
        unknown = np.full(len(X), np.nan)
        return Found(
            X=X,
            generation=np.ones(len(X), dtype=np.int64),
            values={metric: values.get(metric, unknown) for metric in self._search.problem.metrics},
        )

    def _exact(self, *, latencies_bounded: bool) -> np.ndarray:
        search = self._search
        tables: list[Term] = [search.latencies.term(device) for device in search.spec.devices]
        bounds = [b for b in search.spec.bounds if latencies_bounded or b.metric.name != LATENCY_MS]
        return exact_front(
            search.library.num_options,
            search.spec.objectives,
            bounds,
            [*self._terms, *tables],
            check=search.report.check,
        )
