"""The points of a front as JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from donna.space import Library
from donna.space.accuracy_tables import Predictions
from services.searcher.library_tables import cost
from services.searcher.measurement import UNSTABLE, Record
from services.searcher.metric import ACCURACY, COSTS, LATENCY_MS, Metric
from services.searcher.problem import Values


def points(
    library: Library,
    X: np.ndarray,
    values: Values,
    records: Sequence[dict[str, Record]],
    intervals: Predictions | None = None,
) -> list[dict[str, Any]]:
    """One point for each row of X (P, N), in order.

    `values` are (P,) arrays; `records[p]` are the measurements of row p by device; `intervals`, if there, are
    of the same rows.
    """
    costs = {name: cost(library, X, name) for name in COSTS} if len(X) else {}
    accuracy = values.get(Metric(name=ACCURACY))
    found = []
    for p, choices in enumerate(X.tolist()):
        entry: dict[str, Any] = {
            "choices": choices,
            "predicted_accuracy": float(accuracy[p]) if accuracy is not None else 0.0,
            "latency_ms": {m.device: float(v[p]) for m, v in values.items() if m.name == LATENCY_MS},
            "medians_ms": {name: list(r.medians_ms) for name, r in records[p].items() if r.medians_ms},
            "unstable_devices": sorted(name for name, r in records[p].items() if r.note == UNSTABLE),
            **{name: int(costs[name][p]) for name in COSTS},
        }
        if intervals is not None:
            entry |= {
                "predicted_accuracy": float(intervals.accuracy[p]),
                "accuracy_low": float(intervals.low[p]),
                "accuracy_high": float(intervals.high[p]),
                "extrapolated": bool(intervals.extrapolated[p]),
            }
        found.append(entry)
    return found


def front_order(values: Values, objectives: Sequence[Metric]) -> np.ndarray:
    """The order in which a front is told: by the second objective, or the first if it is alone."""
    return np.argsort(values[objectives[min(1, len(objectives) - 1)]], kind="stable")
