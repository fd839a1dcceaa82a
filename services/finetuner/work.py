"""Finetune jobs as the engine sees them: one task for each network; training, evaluation and export.

Trained weights are remembered under their training key, whole results under their result key, so that
evaluating on another part or exporting again trains nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from donna.artifacts import Artifact, ArtifactStore
from donna.jobs import Job, Report, Task, TaskSpec
from services.finetuner import keys
from services.finetuner.admission import Admission, Probe
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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._artifacts = artifacts
        self._data_root = data_root
        self._device = device
        self._interval_s = checkpoint_interval_s
        self._clock = clock
        self._trainer: Any = None
        self.admission = Admission(artifacts, data_root, probe)

    def tasks(self, spec: dict[str, Any]) -> list[TaskSpec]:
        """One task for each network; a spec that was admitted."""
        request = Request.parse(spec)
        notes = {"provenance": request.reference.get("provenance") or {}, "library": request.library}
        pace = self.admission.pace_key(request)
        return [
            TaskSpec(
                key=keys.result_key(
                    training=training, evaluate_on=request.evaluate_on, export=spec["export"], notes=notes
                ),
                spec={
                    **replace(request, networks=(network,)).to_dict(),
                    "training_key": training,
                    "pace_key": pace,
                },
                label=network.label,
                units=max(request.recipe.epochs, 1.0),
            )
            for network, training in zip(request.networks, self.admission.training_keys(request), strict=True)
        ]

    def run(self, task: Task, report: Report) -> dict[str, Any]:
        """Trains one network, or takes the weights of an earlier run; evaluates; exports.

        A network that diverges has a result with an `error` and no accuracy.
        """
        from services.finetuner.trainer import Trainer  # brings torch

        if self._trainer is None:
            self._trainer = Trainer(self._artifacts, self._data_root, self._device)
        checkpoints = Checkpoints(self._artifacts, report, self._interval_s, self._clock)
        result = self._trainer.run(
            Request.parse(task.spec), task.spec["training_key"], report, checkpoints, self._clock
        )
        if epochs := float(task.spec["recipe"]["epochs"]) if "train_s" in result else 0.0:
            report.remember(task.spec["pace_key"], {"epoch_s": result["train_s"] / epochs})
        return result

    def result(self, job: Job, tasks: list[Task]) -> dict[str, Any]:
        """The results of all networks, in the order of the request."""
        return {"networks": [task.result for task in tasks]}


def processes(job: Job) -> int:
    """How many processes train each network of a job."""
    return Request.parse(job.spec).recipe.processes


class Checkpoints:
    """Keeps the last checkpoint of a task in the artifact store, and its hash in the job store.

    One is written after an epoch when the last is older than `interval_s`, so that short runs write none.
    """

    def __init__(
        self, artifacts: ArtifactStore, report: Report, interval_s: float, clock: Callable[[], float]
    ) -> None:
        self._artifacts = artifacts
        self._report = report
        self._interval_s = interval_s
        self._clock = clock
        self._written_at = clock()
        self._last: str | None = None

    def load(self) -> bytes | None:
        """What an earlier attempt at this task saved, or None."""
        saved = self._report.saved()
        self._last = saved["checkpoint"] if saved else None
        return (
            self._artifacts.get_bytes(self._last) if self._last and self._artifacts.has(self._last) else None
        )

    def due(self) -> bool:
        """Whether it is time to write one."""
        return self._clock() - self._written_at >= self._interval_s

    def save(self, data: bytes) -> Artifact:
        """Writes one and removes the one before, which nothing refers to any more."""
        artifact = self._artifacts.put_bytes(data)
        self._report.save({"checkpoint": artifact.sha256})
        self._remove(self._last, artifact.sha256)
        self._last = artifact.sha256
        self._written_at = self._clock()
        return artifact

    def clear(self) -> None:
        """Removes the last one: the task is done."""
        self._remove(self._last, None)

    def _remove(self, old: str | None, new: str | None) -> None:
        if old and old != new:
            self._artifacts.remove(old)
