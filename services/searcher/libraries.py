"""Libraries by the hash of their manifest, kept ready: reading a large one takes as long as a search."""

from __future__ import annotations

from functools import lru_cache

from donna.artifacts import MAX_JSON_BYTES, ArtifactStore
from donna.errors import NotFound
from donna.space import Library

KEPT = 8


class Libraries:
    """`get` reads each library once, of those that were asked for last."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts
        self._kept = lru_cache(KEPT)(self._read)

    def get(self, sha256: str) -> Library:
        """Raises NotFound when the store does not have it, DataLoss, or InvalidArgument for no manifest."""
        return self._kept(sha256)

    def _read(self, sha256: str) -> Library:
        try:
            return Library.from_json(self._artifacts.get_bytes(sha256, at_most=MAX_JSON_BYTES))
        except NotFound as error:
            raise NotFound(f"library {sha256} does not exist", metadata={"sha256": sha256}) from error
