"""The result of a run: JSON that every reader takes, whatever the predictor could not say."""

from __future__ import annotations

import json
import math
from pathlib import Path

from donna.pipeline.folder import RunFolder
from donna.pipeline.improvement import Round
from donna.pipeline.outcome import Fitted, Found, Outcome
from donna.pipeline.result import build_result
from donna.pipeline.spec import parse_spec
from donna.v1 import distiller_pb2, finetuner_pb2, predictor_pb2, searcher_pb2
from tests.integration.conftest import TINY
from tests.unit.predictor.spaces import library, random_tables

NONE = predictor_pb2.Estimate(value=math.nan, low=math.nan, high=math.nan)
AGREEMENT = predictor_pb2.PredictionAgreement(num_samples=6, kendall_tau=NONE, r2=NONE)
JUDGED = predictor_pb2.EvaluatePredictorResponse(
    agreement=AGREEMENT, samples=[predictor_pb2.PredictedSample(accuracy=0.5, predicted_accuracy=0.4)]
)


def test_what_is_undefined_among_equal_accuracies_is_null(tmp_path: Path) -> None:
    predictor = predictor_pb2.Predictor(name="predictors/1", leave_one_out=AGREEMENT)
    search = searcher_pb2.Search(name="searches/1")
    outcome = Outcome(
        devices={},
        library=distiller_pb2.BlockLibrary(num_architectures="9"),
        manifest=library(random_tables(2, 3, seed=0)),
        found=Found(
            fitted=Fitted(predictor=predictor, holdout=JUDGED),
            search=search,
            rounds=[Round(predictor=predictor, search=search, judged=JUDGED)],
        ),
        beside_search={},
        baselines=[],
        reference=finetuner_pb2.FinetunedNetwork(),
        winners=[],
        onnx={},
        latencies={"reference": {}},
        costs={},
    )
    spec = parse_spec(TINY)
    result = build_result(spec, outcome, RunFolder(tmp_path, spec))
    json.dumps(result, allow_nan=False)
    assert result["predictor"]["kendall_tau_loo"] is None
    assert result["predictor"]["kendall_tau_loo_interval"] == [None, None]
    assert result["improvement"][0]["kendall_tau_front"] is None
    assert result["predictor"]["interval_coverage"] == spec.predictor.interval_coverage
