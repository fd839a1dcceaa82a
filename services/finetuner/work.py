"""Finetune jobs as the engine sees them: one task for each network; training, evaluation and export.

Trained weights are remembered under their training key, whole results under their result key, so that
evaluating on another part or exporting again trains nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from donna.artifacts import ArtifactStore
from donna.checkpoints import Checkpoints
from donna.jobs import Job, Report, Task, TaskSpec
from services.finetuner import keys
from services.finetuner.admission import Admission, Probe, Recall
from services.finetuner.request import Request

KIND = "finetuneJobs"


class FinetuneWork:
    """`run` needs torch and is called in worker processes only; the service itself splits and joins."""

    kind = KIND

    def __init__(
        self,
        artifacts: ArtifactStore,
        data_root: Path | None,
        *,
        device: str = "auto",
        checkpoint_interval_s: float = 30.0,
        probe: Probe | None = None,
        recall: Recall = lambda keys: {},
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._artifacts = artifacts
        self._data_root = data_root
        self._device = device
        self._interval_s = checkpoint_interval_s
        self._clock = clock
        self._recall = recall
        self._trainer: Any = None
        self.admission = Admission(artifacts, data_root, probe, recall)

    def tasks(self, spec: dict[str, Any]) -> list[TaskSpec]:
        """One task for each network; a spec that was admitted."""
        request = Request.parse(spec)
        notes = {"provenance": request.reference.get("provenance") or {}, "library": request.library}
        pace, trainings = self.admission.pace_key(request), self.admission.training_keys(request)
        results = [
            keys.result_key(
                training=training, evaluate_on=request.evaluate_on, export=spec["export"], notes=notes
            )
            for training in trainings
        ]
        self._recall([*trainings, *results])  # forgets what has lost its files, so that it is made again
        return [
            TaskSpec(
                key=result,
                spec={
                    **replace(request, networks=(network,)).to_dict(),
                    "training_key": training,
                    "pace_key": pace,
                },
                label=network.label,
                units=max(request.recipe.epochs, 1.0),
            )
            for network, training, result in zip(request.networks, trainings, results, strict=True)
        ]

    def run(self, task: Task, report: Report) -> dict[str, Any]:
        """Trains one network, or takes the weights of an earlier run; evaluates; exports.

        What stands in the way of this network alone (it diverges, does not fit into memory, cannot be exported) is the
        `error` of its result, which is not remembered: the next request tries again.
        """
        from services.finetuner.trainer import Trainer  # brings torch

        if self._trainer is None:
            self._trainer = Trainer(self._artifacts, self._data_root, self._device)
        checkpoints = Checkpoints(self._artifacts, report, self._interval_s, self._clock)
        result = self._trainer.run(task, report, checkpoints)
        if epochs := float(task.spec["recipe"]["epochs"]) if "train_s" in result else 0.0:
            report.remember(task.spec["pace_key"], {"epoch_s": result["train_s"] / epochs})
        return result

    def result(self, job: Job, tasks: list[Task]) -> dict[str, Any]:
        """The results of all networks, in the order of the request."""
        return {"networks": [task.result for task in tasks]}


def processes(job: Job) -> int:
    """How many processes train each network of a job."""
    return Request.parse(job.spec).recipe.processes


def files(result: Mapping[str, Any]) -> Iterable[str]:
    """The hashes of the files of a remembered result, or of remembered weights."""
    models = (result[name]["onnx"] for name in ("model", "int8_model") if name in result)
    stored = (result[name] for name in ("artifact", "weights") if isinstance(result.get(name), Mapping))
    return (artifact["sha256"] for artifact in (*models, *stored))
