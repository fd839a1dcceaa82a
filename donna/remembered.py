"""What is remembered of earlier work, while its files are there: what has lost them is made again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from donna.artifacts import ArtifactStore
from donna.jobs import JobStore

log = logging.getLogger("donna.jobs")
_ASKED_AT_ONCE = 16  # object storage takes milliseconds for each answer


class Remembered:
    """Remembered results; those that lack one of their `files` (hashes in a result) in the artifact store are
    forgotten."""

    def __init__(
        self,
        store: JobStore,
        artifacts: ArtifactStore,
        files: Callable[[Mapping[str, Any]], Iterable[str]],
    ) -> None:
        self._store, self._artifacts, self._files = store, artifacts, files

    def recall(self, keys: list[str]) -> dict[str, dict[str, Any]]:
        """As `JobStore.recall`, without what cannot be used any more."""
        found = self._store.recall(keys)
        with ThreadPoolExecutor(_ASKED_AT_ONCE) as threads:
            whole = list(threads.map(self._whole, found.values()))
        gone = [key for key, there in zip(found, whole, strict=True) if not there]
        if gone:
            log.warning("%d results are forgotten, since the artifact store lacks their files", len(gone))
            self._store.forget(gone)
        return {key: made for key, made in found.items() if key not in gone}

    def _whole(self, made: Mapping[str, Any]) -> bool:
        return all(map(self._artifacts.has, self._files(made)))
