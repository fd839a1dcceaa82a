"""What the job engine needs to know about fitting a predictor: one task, keyed by its content."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict
from typing import Any

import numpy as np

from donna.artifacts import ArtifactStore
from donna.jobs import Job, Report, Task, TaskSpec
from services.predictor.fit import Fit, FitOptions, fit, num_steps
from services.predictor.model import FORMAT
from services.predictor.shelf import Shelf


class FitWork:
    """Predictors are jobs of one task; a spec that was fitted before is never fitted again.

    The spec: {library: sha256, choices: [[...]], accuracies: [...], options: fields of FitOptions}.
    """

    kind = "predictors"

    def __init__(self, artifacts: ArtifactStore, shelf: Shelf) -> None:
        self._artifacts = artifacts
        self._shelf = shelf

    def tasks(self, spec: dict[str, Any]) -> list[TaskSpec]:
        text = json.dumps([FORMAT, spec], sort_keys=True)
        return [TaskSpec(key=hashlib.sha256(text.encode()).hexdigest(), spec=spec, label="the fit")]

    def run(self, task: Task, report: Report) -> dict[str, Any]:
        done, total = 0, num_steps(len(task.spec["choices"]))

        def step(name: str) -> None:
            nonlocal done
            report.check()
            report.progress(done, total, name)
            done += 1

        spec = task.spec
        fitted = fit(
            self._shelf.library(spec["library"]),
            np.array(spec["choices"], dtype=np.int64),
            np.array(spec["accuracies"], dtype=np.float64),
            read_options(spec["options"]),
            step,
        )
        artifact = self._artifacts.put_bytes(fitted.model.to_json())
        report.cost(bytes_written=artifact.size_bytes)
        return {"model": asdict(artifact), **_record(fitted)}

    def result(self, job: Job, tasks: list[Task]) -> dict[str, Any]:
        return tasks[0].result or {}


def read_options(raw: dict[str, Any]) -> FitOptions:
    """The options as stored in a spec."""
    lists = {name: tuple(raw[name]) for name in ("strengths", "qualities")}
    return FitOptions(**raw | lists)


def _record(fitted: Fit) -> dict[str, Any]:
    """What is known about a fit, as JSON."""
    model = fitted.model
    return {
        "order": model.order,
        "target": model.target,
        "strength": model.strength,
        "qualities": [scale.name for scale in model.scales],
        "lineage": model.lineage,
        "predicted": fitted.predicted_S.tolist(),
        "low": fitted.low_S.tolist(),
        "high": fitted.high_S.tolist(),
        "covered": fitted.covered,
        "metrics": _without_nan(asdict(fitted.metrics)),
        "learning_curve": [asdict(point) for point in fitted.learning_curve],
        "candidates": [asdict(choice) for choice in fitted.candidates],
    }


def _without_nan(values: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN: undefined figures are null."""
    return {
        key: _without_nan(value)
        if isinstance(value, dict)
        else None
        if isinstance(value, float) and math.isnan(value)
        else value
        for key, value in values.items()
    }
