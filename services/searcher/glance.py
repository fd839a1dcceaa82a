"""A quick look at latencies before any search: a few networks are measured, and nothing is stored."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from donna.errors import DeadlineExceeded, FailedPrecondition
from donna.jobs.store import JobStore
from donna.space import Library
from services.searcher.bench import IS_BUSY
from services.searcher.feasibility import Row
from services.searcher.fleet import Fleet
from services.searcher.metric import LATENCY_MS
from services.searcher.spec import SearchSpec
from services.searcher.survey import latency_row, representatives

AWAY_S = 5.0
"""A device that is away for so long at a stretch is not waited for: a line that broke is whole again by then."""


class Impatient:
    """The Report of work that is no job: it reads what is remembered, keeps nothing, and waits until its deadline for
    a device that is busy, a few seconds for one that is away."""

    def __init__(self, store: JobStore, deadline_s: float) -> None:
        self._store = store
        self._deadline_s = deadline_s
        self._until = time.monotonic() + deadline_s
        self._waits_for, self._waits_since = "", 0.0

    def progress(self, done: float, total: float, message: str = "") -> None:
        """Nobody watches."""
        self.check()

    def cost(self, **counters: float) -> None:
        """There is no ledger."""

    def check(self) -> None:
        """Raises FailedPrecondition, with what it waits for, when it has waited long enough: a caller who waits for an
        answer wants to know, not to retry. Raises DeadlineExceeded when the look takes too long otherwise."""
        now, busy = time.monotonic(), IS_BUSY in self._waits_for
        late = now > self._until
        if self._waits_for and (late or (now - self._waits_since > AWAY_S and not busy)):
            raise FailedPrecondition(self._waits_for, reason="DEVICE_BUSY" if busy else "DEVICE_AWAY")
        if late:
            raise DeadlineExceeded(f"the smallest networks were not measured within {self._deadline_s:g} s")

    def waiting(self, waiting_for: str) -> None:
        """Notes for what it waits and since when; raises as `check` does."""
        if not self._waits_for or IS_BUSY in self._waits_for:
            self._waits_since = time.monotonic()
        self._waits_for = waiting_for
        self.check()

    def recall(self, keys: list[str]) -> dict[str, dict[str, Any]]:
        """What searches have remembered."""
        return self._store.recall(keys)

    def remember(self, key: str, result: dict[str, Any], **counters: float) -> bool:
        """The profiler's cache will know."""
        return True

    def save(
        self,
        state: dict[str, Any],
        *,
        part: tuple[int, dict[str, Any]] | None = None,
        partial: dict[str, Any] | None = None,
        fraction: float | None = None,
        message: str = "",
    ) -> None:
        """There is no checkpoint."""

    def saved(self) -> dict[str, Any] | None:
        """There is no checkpoint."""
        return None

    def saved_parts(self) -> list[dict[str, Any]]:
        """There is no checkpoint."""
        return []

    def publish(self, partial: dict[str, Any]) -> None:
        """Nobody watches."""


def latency_rows(spec: SearchSpec, library: Library, fleet: Fleet) -> list[Row]:
    """One row for each latency of a search, from a few measured networks; devices measure at the same time.

    Raises FailedPrecondition when a device is away or busy, and DeadlineExceeded when it takes too long.
    """
    X = representatives(library)
    fleet.measure(X, spec.devices)
    metrics = [metric for metric in spec.metrics if metric.name == LATENCY_MS]
    rows = [latency_row(spec, metric, fleet.known(X, metric.device)) for metric in metrics]
    return [row for row in rows if row is not None and np.isfinite(row.range.smallest)]
