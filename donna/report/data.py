"""What the page is told: the run's result, its evaluations by column, and the sentences. Pure."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

from donna.pipeline.found import best, found, measured_again
from donna.pipeline.result import finite
from donna.report.labels import option_labels

# More points than this in the background of a picture show nothing more and make the page heavy.
MAX_EVALUATIONS = 4000


def page_data(result: dict[str, Any], evaluations: str = "") -> dict[str, Any]:
    """The result as the page reads it: numbers that JSON does not have become null."""
    reference = result["reference"]
    devices = list(reference["latency_ms"] if reference else result["devices"])
    blocks = result.get("library", {}).get("blocks", [])
    return finite(
        {
            **result,
            "found": {
                device: found(result, device) if reference else result["headline"] for device in devices
            },
            "told": {device: model["architecture"] for device in devices if (model := _told(result, device))},
            "again": {device: measured_again(result, device) for device in devices},
            "labels": option_labels([o["option"] for block in blocks for o in block["options"]]),
            "evaluations": evaluation_columns(evaluations),
        }
    )


def _told(result: dict[str, Any], device: str) -> dict[str, Any] | None:
    """The network that the sentence of a device speaks of."""
    return best(result, device) if result["reference"] else None


def evaluation_columns(text: str) -> dict[str, Any]:
    """`evaluations.csv` by column, every k-th row where there are too many."""
    rows = list(csv.DictReader(io.StringIO(text)))
    shown = rows[:: max(1, math.ceil(len(rows) / MAX_EVALUATIONS))]
    devices = [
        name.removeprefix("latency_ms_") for name in (rows[0] if rows else {}) if "latency_ms_" in name
    ]
    return {
        "total": len(rows),
        "architecture": [row["architecture"] for row in shown],
        "accuracy": [float(row["predicted_accuracy"]) for row in shown],
        "latency_ms": {
            device: [float(row[f"latency_ms_{device}"] or "nan") for row in shown] for device in devices
        },
    }
