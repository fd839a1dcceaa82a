"""What the phases of a run have brought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from donna.pipeline.improvement import Round
from donna.pipeline.turns import Latency
from donna.space.library import Library
from donna.v1 import common_pb2, distiller_pb2, finetuner_pb2, predictor_pb2, searcher_pb2


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The reference before the search: `weights` None where its provider brings them, `costs` by metric."""

    weights: common_pb2.Artifact | None
    onnx: bytes
    costs: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A predictor, and what it says of networks that it has not seen; None where there are no judges."""

    predictor: predictor_pb2.Predictor
    holdout: predictor_pb2.EvaluatePredictorResponse | None


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was searched last, and the rounds of improvement before."""

    fitted: Fitted
    search: searcher_pb2.Search
    rounds: Sequence[Round] = ()


@dataclass(frozen=True, kw_only=True)
class Winner:
    """A network of the front that was finetuned: `point` is what the search knew of it."""

    name: str
    point: searcher_pb2.FrontPoint
    network: finetuner_pb2.FinetunedNetwork


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A whole run. `beside_search` is the reference's latency right after the search, by device; `onnx` and
    `latencies` are of the exported models by name, the reference among them."""

    devices: Mapping[str, searcher_pb2.SearchDevice]
    library: distiller_pb2.BlockLibrary
    manifest: Library
    found: Found
    beside_search: Mapping[str, Latency]
    baselines: Sequence[dict[str, Any]]
    reference: finetuner_pb2.FinetunedNetwork
    winners: Sequence[Winner]
    onnx: Mapping[str, bytes]
    latencies: Mapping[str, Mapping[str, Latency]]
    costs: Mapping[str, common_pb2.Cost]
