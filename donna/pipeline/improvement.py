"""What the loop of improvement has found, round by round: the front was wrong, and by how much. Pure.

A predictor is fitted to networks from all over the space, and a search goes where it is most optimistic. So the
networks of the front that tell it most are finetuned, it is fitted again with them, and the front is searched again.
[the loop: our addition; the method fits once]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from donna.space import Architecture
from donna.v1 import predictor_pb2, searcher_pb2


@dataclass(frozen=True, kw_only=True)
class Round:
    """A predictor, its front, and networks of that front finetuned and held against its predictions."""

    predictor: predictor_pb2.Predictor
    search: searcher_pb2.Search
    judged: predictor_pb2.EvaluatePredictorResponse


def unknown_of_front(
    front: Iterable[searcher_pb2.FrontPoint], known: Sequence[predictor_pb2.AccuracySample]
) -> list[Architecture]:
    """The networks of a front that have not been finetuned, in order."""
    finetuned = {tuple(sample.architecture.choices) for sample in known}
    choices = (tuple(point.architecture.choices) for point in front)
    return [Architecture(choices=c) for c in dict.fromkeys(choices) if c not in finetuned]


def rounds_of(rounds: Sequence[Round]) -> list[dict[str, Any]]:
    """The rounds as plain values; what came of the last one is the run's predictor, search and front."""
    return [
        {
            "predictor": before.predictor.name,
            "search": before.search.name,
            "kendall_tau_loo": before.predictor.leave_one_out.kendall_tau.value,
            "front_size": len(before.search.front),
            "num_evaluations": before.search.num_evaluations,
            "finetuned": [
                {
                    "architecture": str(Architecture(choices=tuple(s.architecture.choices))),
                    "accuracy": s.accuracy,
                    "predicted_accuracy": s.predicted_accuracy,
                    "interval": [s.low, s.high],
                }
                for s in before.judged.samples
            ],
            "kendall_tau_front": before.judged.agreement.kendall_tau.value,
            "mean_abs_error_front": _mean(
                [abs(s.accuracy - s.predicted_accuracy) for s in before.judged.samples]
            ),
        }
        for before in rounds
    ]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
