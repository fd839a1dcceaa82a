"""Whether a service can do what it is for: its engines live, its stores answer and can be written."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from donna import durable
from donna.artifacts import ArtifactStore
from donna.errors import Unavailable
from donna.jobs.engine import Engine
from donna.jobs.store import JobStore

WRITE_S = 15.0
"""Between two looks at what costs a write or a call of another machine; one that failed is repeated at once."""


class Health:
    """True when all is well; False for an engine that is dead; raises Unavailable for a store that is away, read-only
    or full."""

    def __init__(
        self,
        store: JobStore,
        artifacts: ArtifactStore,
        engines: Sequence[Engine],
        state: Path,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._artifacts, self._engines, self._state = store, artifacts, engines, state
        self._clock = clock
        self._written_at = float("-inf")

    def __call__(self) -> bool:
        self._store.check()
        if self._clock() - self._written_at >= WRITE_S:
            self._check_writing()
            self._written_at = self._clock()
        return all(engine.alive for engine in self._engines)

    def _check_writing(self) -> None:
        try:
            durable.probe(self._state)
        except OSError as error:
            raise Unavailable(
                f"the state folder cannot be written: {error.strerror}", reason="STATE_NOT_WRITABLE"
            ) from error
        self._artifacts.check()
