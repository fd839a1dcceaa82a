"""What blocks are distilled from: data and the cut reference, loaded once for a process.

The last few are kept, since a check, a plan and a job of one library follow each other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any

from donna import data
from donna.artifacts import ArtifactStore
from donna.errors import InvalidArgument
from donna.nets import references, weights
from donna.nets.cut import Cut, cut
from services.distiller import keys
from services.distiller.request import Request

_KEPT = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Material:
    """`source` is the key of reference and data."""

    dataset: data.Dataset
    cut: Cut
    source: str


class Materials:
    """Loads materials by description. Safe to use from several threads."""

    def __init__(self, artifacts: ArtifactStore, data_root: Path | None) -> None:
        self._artifacts = artifacts
        self.data_root = data_root
        self._kept: dict[str, Material] = {}
        self._newest: data.Dataset | None = None
        self._lock = RLock()

    def load(self, request: Request) -> Material:
        """Data and reference of a request, on the CPU. Not to be changed: others are given the same.

        Raises InvalidArgument naming the wrong field, NotFound for data or weights that are not there,
        FailedPrecondition when the data is not what it was when the request was admitted.
        """
        described = [request.reference, request.dataset, request.identity, request.names]
        name = json.dumps(described, sort_keys=True)
        with self._lock:
            if name not in self._kept:
                while len(self._kept) >= _KEPT:
                    del self._kept[next(iter(self._kept))]
                self._kept[name] = self._load(request)
            return self._kept[name]

    def dataset(self, description: Mapping[str, Any]) -> data.Dataset:
        """The data as it is now. Raises InvalidArgument naming the wrong field, NotFound for data that is not there."""
        self._newest = data.load(description, root=self.data_root)
        return self._newest

    def _load(self, request: Request) -> Material:
        description = references.resolve(request.reference)
        dataset = self._newest
        if dataset is None or dataset.identity != request.identity:
            dataset = data.load(request.dataset, root=self.data_root)
        data.check_identity(dataset, request.identity)
        for part in ("training", "quality"):
            dataset.split(part)
        model = references.load(request.reference, self._artifacts.get_bytes)
        sha256 = hashlib.sha256(weights.dump(model)).hexdigest()
        found = cut(model, request.names, dataset.input_shape)
        if found.num_classes != dataset.num_classes:
            raise InvalidArgument.of(
                "reference", f"tells {found.num_classes} classes apart, the dataset has {dataset.num_classes}"
            )
        source = keys.source_key(
            reference=description, weights=sha256, input_shape=dataset.input_shape, dataset=dataset.identity
        )
        return Material(dataset=dataset, cut=found, source=source)
