"""The predictor service, asked once for each search: for its tables, so that no candidate travels."""

from __future__ import annotations

import grpc
import numpy as np

from donna.errors import DataLoss
from donna.rpc.channel import Remote
from donna.space.accuracy_tables import AccuracyTables
from donna.space.target import Target
from donna.v1 import common_pb2, predictor_pb2, predictor_pb2_grpc
from services.searcher.accuracy import PredictedAccuracy

CALL_S = 10.0
"""Deadline of a call: a predictor that hangs is away, and a search says so."""

_TARGETS: dict[int, Target] = {
    predictor_pb2.TARGET_ACCURACY: "accuracy",
    predictor_pb2.TARGET_NEGATIVE_LOG_ERROR: "negative_log_error",
}


class Predictors:
    """The predictors of one service."""

    def __init__(self, channel: grpc.Channel, *, token: str = "") -> None:
        self._remote = Remote(
            predictor_pb2_grpc.PredictorServiceStub, channel, token=token, deadline_s=CALL_S
        )

    def get(self, predictor: str, library: str) -> PredictedAccuracy:
        """A predictor on the library of this hash.

        Raises what the service raises (NotFound, FailedPrecondition for another lineage, Unavailable), and DataLoss
        for tables that cannot be read.
        """
        artifact = common_pb2.Artifact(uri=f"artifact:sha256/{library}", sha256=library)
        request = predictor_pb2.GetPredictorTablesRequest(predictor=predictor, library=artifact)
        return PredictedAccuracy(read_tables(self._remote.GetPredictorTables(request).tables))


def read_tables(message: predictor_pb2.PredictorTables) -> AccuracyTables:
    """The tables of a predictor. Raises DataLoss when their sizes or their target make no sense."""
    try:
        unary = tuple(np.frombuffer(block.unary, "<f8").astype(float) for block in message.blocks)
        inputs = tuple(
            np.frombuffer(block.inputs, "<f8").astype(float).reshape(len(unary_M), -1)
            for block, unary_M in zip(message.blocks, unary, strict=True)
            if block.inputs
        )
        if len(inputs) not in (0, len(unary)):
            raise ValueError("inputs")
        D = sum(z_MK.shape[1] for z_MK in inputs)
        unseen = tuple(np.frombuffer(block.extrapolated, bool) for block in message.blocks)
        if not unary or [len(u) for u in unseen] != [len(u) for u in unary]:
            raise ValueError("blocks")
        return AccuracyTables(
            constant=message.constant,
            unary=unary,
            inputs=inputs,
            cross_DD=np.frombuffer(message.cross, "<f8").astype(float).reshape(D, D),
            unseen=unseen,
            target=_TARGETS[message.target],
            half_width=message.half_width,
        )
    except (KeyError, ValueError) as error:
        raise DataLoss("the predictor's tables cannot be read: is it of another version?") from error
