"""Content keys: equal keys mean equal results, so what was trained once is never trained again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

METHOD = "finetune/2"
"""Grows when a change of ours changes what training makes of the same request."""


def training_key(
    *, network: Mapping[str, Any], reference: Mapping[str, Any], dataset: str, recipe: Mapping[str, Any]
) -> str:
    """Names trained weights: what the network is made of (options and hashes of weights), which reference
    teaches it, the identity of the data, the recipe with its seed, and the version of the method."""
    return _digest("training", network=network, reference=reference, dataset=dataset, recipe=recipe)


def pace_key(*, reference: Mapping[str, Any], dataset: str, recipe: Mapping[str, Any]) -> str:
    """Names how long an epoch of a network of this reference takes: on which data, in which batches, taught or not."""
    kept = {name: recipe[name] for name in ("batch_size", "processes")}
    taught = bool(recipe["soft_weight"])
    return _digest("pace", reference=reference, dataset=dataset, recipe={**kept, "taught": taught})


def result_key(
    *, training: str, evaluate_on: str, export: Mapping[str, Any] | None, notes: Mapping[str, Any]
) -> str:
    """Names a whole result: the training, where it is evaluated, how it is exported, and what `notes`
    (provenance, library) are written into the exported model."""
    return _digest("result", training=training, evaluate_on=evaluate_on, export=export, notes=notes)


def _digest(kind: str, **parts: Any) -> str:
    said = json.dumps({"method": METHOD, "kind": kind, **parts}, sort_keys=True, allow_nan=False)
    return f"{kind}:{hashlib.sha256(said.encode()).hexdigest()}"
