"""Libraries and models read from the artifact store, kept ready by their digests."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar, cast

from donna.artifacts import MAX_JSON_BYTES, Artifact, ArtifactStore
from donna.errors import NotFound
from donna.space import Library
from donna.space.accuracy_tables import AccuracyTables
from services.predictor.model import Model

T = TypeVar("T")
KNOWN_SIZES = 4096


class Shelf:
    """At most `limit` of each; the least recently used goes first. Safe to use from many threads."""

    def __init__(self, artifacts: ArtifactStore, *, limit: int) -> None:
        self._artifacts = artifacts
        self._limit = limit
        self._lock = threading.Lock()
        self.hits = self.misses = 0
        self._libraries: OrderedDict[Any, Any] = OrderedDict()
        self._models: OrderedDict[Any, Any] = OrderedDict()
        self._described = lru_cache(KNOWN_SIZES)(
            artifacts.describe
        )  # what is named by its content never changes

    def describe(self, sha256: str) -> Artifact:
        """A library as a predictor names it; its size is 0 where it was gone before anybody asked."""
        try:
            return self._described(sha256)
        except NotFound:
            return Artifact(sha256=sha256, size_bytes=0)

    def library(self, sha256: str) -> Library:
        """A library by its manifest's hash. Raises NotFound, DataLoss, or InvalidArgument for no manifest."""
        return self._get(self._libraries, sha256, lambda: Library.from_json(self._read(sha256)))

    def model(self, sha256: str, library_sha256: str) -> AccuracyTables:
        """A model on a library, both by hash. Raises also FailedPrecondition, see Model.bind."""

        def bind() -> AccuracyTables:
            model = Model.from_json(self._read(sha256))
            return model.bind(self.library(library_sha256))

        return self._get(self._models, (sha256, library_sha256), bind)

    def _read(self, sha256: str) -> bytes:
        return self._artifacts.get_bytes(sha256, at_most=MAX_JSON_BYTES)

    def _get(self, kept: OrderedDict[Any, Any], key: Any, make: Callable[[], T]) -> T:
        with self._lock:
            if key in kept:
                self.hits += 1
                kept.move_to_end(key)
                return cast(T, kept[key])
            self.misses += 1
        made = make()  # outside the lock: two threads may both make it, which is only wasteful
        with self._lock:
            kept[key] = made
            while len(kept) > self._limit:
                kept.popitem(last=False)
        return made
