"""Every network that a search has looked at, as a table: `evaluations.csv`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from donna.space import Architecture
from donna.v1 import searcher_pb2

COLUMNS = ("architecture", "generation", "predicted_accuracy", "feasible")


def evaluations_csv(evaluations: Iterable[searcher_pb2.Evaluation]) -> str:
    """In order of evaluation; one latency column (milliseconds) for each device, empty where there is none."""
    found = list(evaluations)
    devices = sorted({device for evaluation in found for device in evaluation.latency_ms})
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([*COLUMNS, *(f"latency_ms_{device}" for device in devices)])
    for evaluation in found:
        latency_ms = dict(evaluation.latency_ms)
        rows.writerow(
            [
                Architecture(choices=tuple(evaluation.architecture.choices)),
                evaluation.generation,
                f"{evaluation.predicted_accuracy:.6f}",
                int(evaluation.feasible),
                *(f"{latency_ms[d]:.6f}" if d in latency_ms else "" for d in devices),
            ]
        )
    return text.getvalue()
