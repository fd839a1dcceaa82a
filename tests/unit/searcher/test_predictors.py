"""The tables of a real predictor, as the searcher reads them: to the bit what Predict says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from donna.errors import DataLoss, FailedPrecondition, NotFound
from donna.rpc.channel import open_channel
from donna.rpc.messages import pack_architectures
from donna.v1 import predictor_pb2 as pb
from services.searcher.predictors import Predictors, read_tables
from tests.unit.predictor import spaces
from tests.unit.predictor.serving import served
from tests.unit.predictor.test_servicer import LIBRARY, sample

CHOICES = spaces.draw(LIBRARY.num_options, 30, seed=1)
ACCURACY = np.clip(1.02 - LIBRARY.qualities(CHOICES).sum(axis=1) / 2, 0, 1)


def test_they_say_what_predict_says(tmp_path: Path) -> None:
    X = spaces.draw(LIBRARY.num_options, 9000, seed=2)
    with served(tmp_path) as service, open_channel(service.address) as channel:
        library, predictors = service.put(LIBRARY), Predictors(channel)
        samples = [sample(c, a) for c, a in zip(CHOICES.tolist(), ACCURACY, strict=True)]
        for order, target in (
            (1, pb.TARGET_ACCURACY),
            (1, pb.TARGET_NEGATIVE_LOG_ERROR),
            (2, pb.TARGET_ACCURACY),
        ):
            fitted = service.fit(
                pb.PredictorSpec(library=library, samples=samples, order=order, target=target)
            )
            request = pb.PredictRequest(
                predictor=fitted.name, architectures=pack_architectures(X), include_intervals=True
            )
            answer = service.stub.Predict(request)
            accuracy = predictors.get(fitted.name, LIBRARY.digest)
            found = accuracy.predictions(X)
            for packed, values in (
                (answer.accuracies, accuracy(X)),
                (answer.accuracies, found.accuracy),
                (answer.lows, found.low),
                (answer.highs, found.high),
            ):
                assert np.array_equal(np.frombuffer(packed, "<f4"), values)
            assert np.array_equal(np.frombuffer(answer.extrapolated, bool), found.extrapolated)
            assert found.extrapolated.any()
            assert (accuracy.term() is None) == (order == 2)
        other = service.put(spaces.library(spaces.random_tables(3, 5, seed=0)))
        with pytest.raises(FailedPrecondition, match="lineage"):
            predictors.get(fitted.name, other.sha256)
        with pytest.raises(NotFound):
            predictors.get("predictors/none", LIBRARY.digest)


@pytest.mark.parametrize(
    "wrong",
    [
        pb.PredictorTables(),
        pb.PredictorTables(target=pb.TARGET_ACCURACY),
        pb.PredictorTables(target=99, blocks=[pb.PredictorBlockTables(unary=bytes(8), extrapolated=b"\0")]),
        pb.PredictorTables(target=1, blocks=[pb.PredictorBlockTables(unary=bytes(8))]),
        pb.PredictorTables(target=1, blocks=[pb.PredictorBlockTables(unary=bytes(7), extrapolated=b"\0")]),
        pb.PredictorTables(
            target=1, blocks=[pb.PredictorBlockTables(unary=bytes(8), inputs=bytes(8), extrapolated=b"\0")]
        ),
    ],
)
def test_tables_that_make_no_sense_are_refused(wrong: pb.PredictorTables) -> None:
    with pytest.raises(DataLoss, match="tables cannot be read"):
        read_tables(wrong)
