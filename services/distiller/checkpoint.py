"""Keeps the last state of a task in the artifact store, and its hash in the job store."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from donna.artifacts import ArtifactStore
from donna.errors import DataLoss
from donna.jobs import Report
from donna.nets.weights import dump_state, read_state


class Checkpoints:
    """One is due when the last is older than `interval_s`, so that short work writes none."""

    def __init__(
        self, artifacts: ArtifactStore, report: Report, interval_s: float, clock: Callable[[], float]
    ) -> None:
        self._artifacts = artifacts
        self._report = report
        self._interval_s = interval_s
        self._clock = clock
        self._written_at = clock()
        saved = report.saved()
        self._last: str | None = saved["checkpoint"] if saved else None

    def load(self) -> dict[str, Tensor]:
        """What an earlier attempt at this task saved; empty when there is nothing to go on from."""
        if self._last is None or not self._artifacts.has(self._last):
            return {}
        try:
            return read_state(self._artifacts.get_bytes(self._last))
        except DataLoss:  # damaged on the disk: the work is done again
            return {}

    def due(self) -> bool:
        """Whether it is time to write one."""
        return self._clock() - self._written_at >= self._interval_s

    def save(self, state: Mapping[str, Tensor]) -> None:
        """Writes one and removes the one before, which nothing refers to any more."""
        artifact = self._artifacts.put_bytes(dump_state(state))
        self._report.save({"checkpoint": artifact.sha256})
        self._remove(keep=artifact.sha256)
        self._last = artifact.sha256
        self._written_at = self._clock()

    def clear(self) -> None:
        """Removes the last one: the task is done."""
        self._remove(keep=None)
        self._last = None

    def _remove(self, keep: str | None) -> None:
        if self._last is not None and self._last != keep:
            self._artifacts.remove(self._last)
