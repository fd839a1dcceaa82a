"""Every network that a search has looked at, as a table: `evaluations.csv`."""

from __future__ import annotations

from collections.abc import Iterable

from donna.pipeline.csv_text import csv_text
from donna.space import Architecture
from donna.v1 import searcher_pb2

COLUMNS = ("architecture", "generation", "predicted_accuracy", "feasible")


def evaluations_csv(evaluations: Iterable[searcher_pb2.Evaluation]) -> str:
    """In order of evaluation; one latency column (milliseconds) for each device, empty where there is none."""
    found = list(evaluations)
    devices = sorted({device for evaluation in found for device in evaluation.latency_ms})
    rows = [
        (
            Architecture(choices=tuple(e.architecture.choices)),
            e.generation,
            f"{e.predicted_accuracy:.6f}",
            int(e.feasible),
            *(f"{e.latency_ms[device]:.6f}" if device in e.latency_ms else "" for device in devices),
        )
        for e in found
    ]
    return csv_text((*COLUMNS, *(f"latency_ms_{device}" for device in devices)), rows)
