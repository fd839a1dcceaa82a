"""Synthetic spaces with known truth: qualities that pay for themselves, as in a real library."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from donna.space.accuracy_tables import AccuracyTables
from services.searcher.accuracy import PredictedAccuracy
from services.searcher.metric import Bound, Metric
from services.searcher.problem import Problem

ACCURACY, PARAMETERS, MACS = Metric(name="accuracy"), Metric(name="parameters"), Metric(name="macs")


@dataclass(frozen=True, kw_only=True)
class Space:
    """`loss` (N, M) like NSR; `parameters` and `macs` (N, M), dearer options tend to lose less."""

    num_options: tuple[int, ...]
    loss: np.ndarray
    parameters: np.ndarray
    macs: np.ndarray
    interactions: np.ndarray

    @classmethod
    def random(cls, num_options: tuple[int, ...], seed: int, *, second_order: bool = False) -> Space:
        g = np.random.default_rng(seed)
        shape = (len(num_options), max(num_options))
        parameters = np.round(g.uniform(1, 100, shape))
        macs = np.round(parameters * g.uniform(5, 20, shape))
        loss = g.uniform(0.5, 1.5, shape) / np.sqrt(parameters)
        unused = np.arange(shape[1]) >= np.asarray(num_options)[:, None]
        for table in (parameters, macs, loss):
            table[unused] = np.nan
        interactions = np.triu(g.normal(0, 0.02, (shape[0], shape[0]))) * second_order
        return cls(
            num_options=num_options, loss=loss, parameters=parameters, macs=macs, interactions=interactions
        )

    def every(self) -> np.ndarray:
        return np.indices(self.num_options).reshape(len(self.num_options), -1).T.astype(np.int64)

    def accuracy(self, X: np.ndarray) -> np.ndarray:
        q = self.loss[np.arange(len(self.loss)), X]
        return 0.95 - 0.1 * q.sum(axis=1) - np.einsum("ai,ij,aj->a", q, self.interactions, q)

    def predicted(self) -> PredictedAccuracy:
        """The same accuracies as a predictor's tables."""
        counts, twos = self.num_options, self.interactions
        q = [self.loss[n, :count] for n, count in enumerate(counts)]
        return PredictedAccuracy(
            AccuracyTables(
                constant=0.95,
                unary=tuple(-0.1 * q_M - twos[n, n] * q_M**2 for n, q_M in enumerate(q)),
                inputs=tuple(q_M[:, None] for q_M in q) if twos.any() else (),
                cross_DD=-np.triu(twos, k=1),
                unseen=tuple(np.zeros(count, dtype=bool) for count in counts),
                target="accuracy",
                half_width=0.01,
            )
        )

    def cost(self, X: np.ndarray, name: str) -> np.ndarray:
        return getattr(self, name)[np.arange(len(self.loss)), X].sum(axis=1) + 7.0

    def problem(self, objectives: tuple[Metric, ...], bounds: tuple[Bound, ...] = ()) -> Problem:
        return Problem(
            num_options=self.num_options,
            objectives=objectives,
            bounds=bounds,
            accuracy=self.accuracy,
            cost=self.cost,
        )

    @property
    def tables(self) -> list[np.ndarray]:
        return [self.loss, self.parameters, self.macs]
