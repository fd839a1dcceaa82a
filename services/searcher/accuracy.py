"""What a predictor says of the networks of one library: to the bit what the predictor service would answer."""

from __future__ import annotations

import math

import numpy as np

from donna.space.accuracy_tables import AccuracyTables, Predictions
from services.searcher.exact import Term
from services.searcher.metric import ACCURACY, Metric


class PredictedAccuracy:
    """A function of (A, N) choices -> (A,) float64 accuracies in [0, 1]."""

    def __init__(self, tables: AccuracyTables) -> None:
        self.tables = tables

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Predicted accuracies."""
        return as_answered(self.tables.accuracies(X))

    def predictions(self, X: np.ndarray) -> Predictions:
        """Predicted accuracies with what the predictor knows of their error."""
        found = self.tables.predict(X)
        return Predictions(
            accuracy=as_answered(found.accuracy),
            low=as_answered(found.low),
            high=as_answered(found.high),
            extrapolated=found.extrapolated,
        )

    def term(self) -> Term | None:
        """The accuracy as a term of the exact front, on the scale on which it adds up; None when it does not."""
        if self.tables.inputs:
            return None
        table = np.full((len(self.tables.unary), max(self.tables.num_options)), np.nan)
        for n, unary_M in enumerate(self.tables.unary):
            table[n, : len(unary_M)] = unary_M
        return Term(
            metric=Metric(name=ACCURACY), table=table, offset=self.tables.constant, to_scale=self._limit
        )

    def _limit(self, accuracy: float, sign: float) -> float:
        """A bound in units of the target; one at the end of [0, 1] that clipping always meets excludes nothing."""
        if (accuracy >= 1.0 and sign > 0) or (accuracy <= 0.0 and sign < 0):
            return sign * math.inf
        if self.tables.target == "accuracy":
            return accuracy
        return -math.log1p(-accuracy) if accuracy < 1.0 else math.inf


def as_answered(values: np.ndarray) -> np.ndarray:
    """Rounded to float32, in which predictions travel; as float64."""
    return values.astype(np.float32).astype(np.float64)
