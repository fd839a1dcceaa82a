"""Predicted accuracies in bulk, from the predictor service."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import grpc
import numpy as np

from donna.rpc.channel import Remote
from donna.rpc.messages import pack_architectures
from donna.v1 import common_pb2, predictor_pb2, predictor_pb2_grpc

CALL_BYTES = 4 << 20
"""Choices in one call; a quarter of the largest message, and the answer is smaller still."""


@dataclass(frozen=True, kw_only=True)
class Intervals:
    """Prediction, its interval, and whether it extrapolates, (A,) each."""

    accuracies: np.ndarray
    lows: np.ndarray
    highs: np.ndarray
    extrapolated: np.ndarray


class PredictedAccuracy:
    """A function of (A, N) choices -> (A,) float64 accuracies of one predictor and library.

    Raises what the predictor raises: NotFound, FailedPrecondition for another lineage, Unavailable.
    `spent_s` is the time that the calls took.
    """

    def __init__(self, channel: grpc.Channel, predictor: str, library: str, *, token: str = "") -> None:
        self._remote = Remote(predictor_pb2_grpc.PredictorServiceStub, channel, token=token)
        self._predictor = predictor
        self._library = common_pb2.Artifact(uri=f"artifact:sha256/{library}", sha256=library)
        self.spent_s = 0.0

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Predicted accuracies."""
        parts = [self._predict(part).accuracies for part in _parts(X)]
        return np.concatenate([np.frombuffer(part, "<f4") for part in parts] or [np.zeros(0)]).astype(float)

    def intervals(self, X: np.ndarray) -> Intervals:
        """Predicted accuracies with what the predictor knows of their error."""
        answers = [self._predict(part, include_intervals=True) for part in _parts(X)]

        def joined(field: str, dtype: str) -> np.ndarray:
            return np.frombuffer(b"".join(getattr(answer, field) for answer in answers), dtype)

        return Intervals(
            accuracies=joined("accuracies", "<f4").astype(float),
            lows=joined("lows", "<f4").astype(float),
            highs=joined("highs", "<f4").astype(float),
            extrapolated=joined("extrapolated", "u1").astype(bool),
        )

    def _predict(self, X: np.ndarray, *, include_intervals: bool = False) -> predictor_pb2.PredictResponse:
        started = time.perf_counter()
        try:
            return self._remote.Predict(
                predictor_pb2.PredictRequest(
                    predictor=self._predictor,
                    architectures=pack_architectures(X),
                    library=self._library,
                    include_intervals=include_intervals,
                )
            )
        finally:
            self.spent_s += time.perf_counter() - started


def _parts(X: np.ndarray) -> Iterator[np.ndarray]:
    rows = max(1, CALL_BYTES // (4 * X.shape[1]))
    for start in range(0, len(X), rows):
        yield X[start : start + rows]
