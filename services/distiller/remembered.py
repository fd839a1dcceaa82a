"""What is remembered of earlier work, while its bytes are there: blocks whose files are gone are made again."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from donna.artifacts import ArtifactStore
from donna.jobs import JobStore

log = logging.getLogger("donna.distiller")
_ASKED_AT_ONCE = 16  # object storage takes milliseconds for each answer


class Remembered:
    """Remembered results of blocks; those whose weights or fragment the artifact store lacks are forgotten."""

    def __init__(self, store: JobStore, artifacts: ArtifactStore) -> None:
        self._store, self._artifacts = store, artifacts

    def recall(self, keys: list[str]) -> dict[str, dict[str, Any]]:
        """As `JobStore.recall`, without what cannot be used any more."""
        found = self._store.recall(keys)
        with ThreadPoolExecutor(_ASKED_AT_ONCE) as threads:
            whole = list(threads.map(lambda made: is_whole(made, self._artifacts), found.values()))
        gone = [key for key, there in zip(found, whole, strict=True) if not there]
        if gone:
            log.warning("%d blocks are forgotten, since the artifact store lacks their files", len(gone))
            self._store.forget(gone)
        return {key: made for key, made in found.items() if key not in gone}


def is_whole(made: Mapping[str, Any], artifacts: ArtifactStore) -> bool:
    """Whether the store has every file of a remembered result; a block that failed has none."""
    return all(artifacts.has(made[part]) for part in ("weights", "fragment") if made.get(part))
