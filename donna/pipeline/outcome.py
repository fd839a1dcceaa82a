"""What the phases of a run have brought so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from donna.pipeline.improvement import Round
from donna.pipeline.turns import Latency
from donna.space.library import Library
from donna.v1 import common_pb2, distiller_pb2, finetuner_pb2, predictor_pb2, searcher_pb2


@dataclass
class Outcome:
    """Filled phase by phase; `chosen` are the rows of the front that are finetuned, in the order of `winners`.

    `beside_search` is the reference's latency right after the search, by device.
    """

    reference: finetuner_pb2.FinetunedNetwork | None = None
    library: distiller_pb2.BlockLibrary | None = None
    manifest: Library | None = None
    predictor: predictor_pb2.Predictor | None = None
    holdout: predictor_pb2.EvaluatePredictorResponse | None = None
    search: searcher_pb2.Search | None = None
    rounds: list[Round] = field(default_factory=list)
    chosen: list[int] = field(default_factory=list)
    winners: list[finetuner_pb2.FinetunedNetwork] = field(default_factory=list)
    onnx: dict[str, bytes] = field(default_factory=dict)
    devices: dict[str, searcher_pb2.SearchDevice] = field(default_factory=dict)
    costs: dict[str, common_pb2.Cost] = field(default_factory=dict)
    latencies: dict[str, dict[str, Latency]] = field(default_factory=dict)
    beside_search: dict[str, Latency] = field(default_factory=dict)
    reference_costs: dict[str, float] = field(default_factory=dict)
