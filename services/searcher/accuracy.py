"""Predicted accuracies in bulk, from the predictor service."""

from __future__ import annotations

import time
from dataclasses import dataclass

import grpc
import numpy as np

from donna.rpc.channel import Remote
from donna.rpc.messages import pack_architectures
from donna.v1 import common_pb2, predictor_pb2, predictor_pb2_grpc

ROWS = 200_000
"""Architectures in one call; far below the message limit for any number of blocks."""


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
        parts = [self._predict(X[i : i + ROWS]).accuracies for i in range(0, len(X), ROWS)]
        return np.concatenate([np.frombuffer(part, "<f4") for part in parts] or [np.zeros(0)]).astype(float)

    def intervals(self, X: np.ndarray) -> Intervals:
        """Predicted accuracies with what the predictor knows of their error; at most ROWS at once."""
        response = self._predict(X[:ROWS], include_intervals=True)
        return Intervals(
            accuracies=np.frombuffer(response.accuracies, "<f4").astype(float),
            lows=np.frombuffer(response.lows, "<f4").astype(float),
            highs=np.frombuffer(response.highs, "<f4").astype(float),
            extrapolated=np.frombuffer(response.extrapolated, np.uint8).astype(bool),
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
