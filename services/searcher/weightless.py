"""The fragments of a library as they travel to be measured: without their weights, a few kilobytes each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from donna.artifacts import ArtifactStore
from donna.errors import DataLoss, FailedPrecondition, InvalidArgument, NotFound

KEPT = 4096
"""Fragments that are remembered without their weights: those of several libraries, some ten megabytes."""


@dataclass(frozen=True, kw_only=True)
class Bare:
    """A fragment without weights, and its own hash."""

    sha256: str
    data: bytes


class Weightless:
    """Reads fragments and leaves their weights out, each once. Threads may share it."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts
        self._bare = lru_cache(maxsize=KEPT)(self._stripped)

    def fragment(self, sha256: str) -> Bare:
        """The fragment of a library. Raises FailedPrecondition (FRAGMENT_MISSING) when the store lacks it, DataLoss
        when it is no ONNX model."""
        return self._bare(sha256)

    def _stripped(self, sha256: str) -> Bare:
        from donna.graphs import strip  # brings onnx, which only a search that measures needs

        try:
            data = strip(self._artifacts.get_bytes(sha256)).SerializeToString(deterministic=True)
        except NotFound as error:
            raise FailedPrecondition(
                f"fragment {sha256} of the library is not in the artifact store", reason="FRAGMENT_MISSING"
            ) from error
        except InvalidArgument as error:
            raise DataLoss(f"fragment {sha256} of the library cannot be read: {error.message}") from error
        return Bare(sha256=hashlib.sha256(data).hexdigest(), data=data)
