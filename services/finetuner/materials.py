"""What networks are trained from, loaded once for a process: data, library, reference, cut, teacher.

A worker trains many networks of one job, one after the other; only the last few of each kind are kept.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from donna.artifacts import ArtifactStore
from donna.data import Dataset, check_identity, load
from donna.nets import references
from donna.nets.cut import Cut
from donna.space import Library
from services.finetuner import assembly
from services.finetuner.teacher import Teacher, teacher

_KEPT = 2


class Materials:
    """Everything by content, so that a changed description is another thing. Not safe in two threads."""

    def __init__(self, artifacts: ArtifactStore, data_root: Path | None, device: torch.device) -> None:
        self._artifacts = artifacts
        self._data_root = data_root
        self.device = device
        self._kept: dict[str, dict[str, Any]] = {}

    def read(self, sha256: str) -> bytes:
        """The bytes of an artifact. Raises NotFound or DataLoss."""
        return self._artifacts.get_bytes(sha256)

    def dataset(self, description: Mapping[str, Any], identity: str | None) -> Dataset:
        """The loaded dataset. Raises FailedPrecondition when it has another identity than that, if one is given."""

        def loaded() -> Dataset:
            found = load(description, root=self._data_root)
            check_identity(found, identity)
            return found

        return self._once("dataset", [description, identity], loaded)

    def library(self, sha256: str) -> Library:
        """The manifest."""
        return self._once("library", [sha256], lambda: Library.from_json(self.read(sha256)))

    def reference(self, description: Mapping[str, Any]) -> nn.Module:
        """The reference with its weights, frozen; copy it before training."""

        def build() -> nn.Module:
            model = references.load(description, self.read)
            return model.requires_grad_(False).eval()

        return self._once("reference", [description], build)

    def cut(self, description: Mapping[str, Any], library: str) -> Cut:
        """The reference, cut at the blocks of the library."""
        return self._once(
            "cut",
            [description, library],
            lambda: assembly.cut_reference(self.reference(description), self.library(library)),
        )

    def teacher(
        self, reference: Mapping[str, Any], dataset: Mapping[str, Any], identity: str | None
    ) -> Teacher:
        """The reference as the teacher of this training part."""
        return self._once(
            "teacher",
            [reference, dataset, identity],
            lambda: teacher(
                copy.deepcopy(self.reference(reference)).to(self.device),
                self.dataset(dataset, identity).split("training"),
            ),
        )

    def _once(self, kind: str, key: list[Any], make: Callable[[], Any]) -> Any:
        kept = self._kept.setdefault(kind, {})
        name = json.dumps(key, sort_keys=True)
        if name not in kept:
            while len(kept) >= _KEPT:
                kept.pop(next(iter(kept)))
            kept[name] = make()
        return kept[name]
