"""Keeps the last state of a task in the artifact store, and its hash in the job store."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from donna.artifacts import ArtifactStore
from donna.errors import DataLoss
from donna.jobs import Report

T = TypeVar("T")

WRITING_SHARE = 20
"""One that takes long to write is written seldom: at most a twentieth of the time goes into writing."""


class Checkpoints:
    """One is due when the last is older than `interval_s`, so that short work writes none."""

    def __init__(
        self,
        artifacts: ArtifactStore,
        report: Report,
        interval_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._artifacts = artifacts
        self._report = report
        self._interval_s = interval_s
        self._clock = clock
        self._began_at = self._written_at = clock()
        saved = report.saved() or {}
        self._last: str | None = saved.get("checkpoint")
        self._earlier_s = float(saved.get("spent_s", 0.0))

    def load(self, read: Callable[[bytes], T]) -> T | None:
        """What an earlier attempt at this task saved, as `read` reads it; None when there is nothing to go on from, or
        it is damaged: then the work is done again, from its start."""
        if self._last is not None and self._artifacts.has(self._last):
            try:
                return read(self._artifacts.get_bytes(self._last))
            except DataLoss:
                pass
        self._earlier_s = 0.0
        return None

    def due(self) -> bool:
        """Whether it is time to write one."""
        return self._clock() - self._written_at >= self._interval_s

    def save(self, data: bytes) -> None:
        """Writes one and removes the one before, which nothing refers to any more."""
        began_at = self._clock()
        artifact = self._artifacts.put_bytes(data)
        self._report.save({"checkpoint": artifact.sha256, "spent_s": self.spent_s()})
        self._remove(keep=artifact.sha256)
        self._last = artifact.sha256
        self._written_at = self._clock()
        self._interval_s = max(self._interval_s, WRITING_SHARE * (self._written_at - began_at))

    def spent_s(self) -> float:
        """Seconds that the work took so far, in this attempt and in those that it goes on from."""
        return self._earlier_s + self._clock() - self._began_at

    def clear(self) -> None:
        """Removes the last one: the task has come to its end."""
        self._remove(keep=None)
        self._last = None

    def _remove(self, keep: str | None) -> None:
        if self._last is not None and self._last != keep:
            self._artifacts.remove(self._last)
