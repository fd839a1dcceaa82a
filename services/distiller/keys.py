"""Content keys: what a trained block depends on, hashed, so that equal work is never done twice and unequal
work never mixes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from donna.space import Option
from services.distiller.recipe import Recipe

METHOD = "distil/2"
"""Raised whenever a change of ours makes blocks of equal keys come out different."""


def digest(value: Any) -> str:
    """sha256 in hex of the canonical JSON of `value`."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def source_key(
    *, reference: Mapping[str, Any], weights: str, input_shape: tuple[int, ...], dataset: str
) -> str:
    """The key of what blocks learn from: reference, its weights (sha256) and the data (identity)."""
    return digest(
        {
            **reference_of(reference),
            "weights": weights,
            "input_shape": list(input_shape),
            "dataset": dataset,
        }
    )


def reference_of(description: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a reference's description that says which network it is."""
    return {"provider": description["provider"], "arguments": description["arguments"]}


def block_key(*, source: str, block: str, option: Option, recipe: Recipe) -> str:
    """The key of one trained option of one block. The other options and blocks of the library are not in it."""
    return digest(
        {
            "method": METHOD,
            "source": source,
            "block": block,
            "option": str(option),
            "recipe": recipe.to_dict(),
        }
    )


def part_key(*, source: str, part: str, boundary: str) -> str:
    """The key of the stem or the head, which end or begin at the block `boundary`."""
    return digest({"method": METHOD, "source": source, "part": part, "boundary": boundary})


def statistics_key(*, source: str, blocks: tuple[str, ...], batch_size: int) -> str:
    """The key of the channel variances of the feature maps behind the named blocks."""
    return digest({"method": METHOD, "source": source, "statistics": list(blocks), "batch_size": batch_size})


def seed_of(key: str, seed: int) -> int:
    """The seed of one block's initial weights, in 0..2^63-1: a function of its own key alone."""
    return int(digest([key, seed])[:15], 16)
