"""The manifest of a library, joined from what was trained and what was known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from donna.errors import FailedPrecondition
from donna.space import Block, Entry, Library, Part


def entry(option: str, key: str, result: Mapping[str, Any]) -> Entry:
    """The entry of a trained block, from its remembered result."""
    return Entry(
        option=option,
        key=key,
        quality=result["quality"],
        qualities=dict(result["qualities"]),
        curve=tuple((int(step), float(nsr)) for step, nsr in result.get("curve", ())),
        weights=result["weights"],
        fragment=result["fragment"],
        **_costs(result),
    )


def part(result: Mapping[str, Any]) -> Part:
    """Stem or head, from its remembered result."""
    return Part(weights=result["weights"], fragment=result["fragment"], **_costs(result))


def join(
    *,
    reference: Mapping[str, Any],
    dataset: Mapping[str, Any],
    recipe: Mapping[str, Any],
    provenance: Mapping[str, str],
    input_shape: Sequence[int],
    num_classes: int,
    blocks: Sequence[Mapping[str, Any]],
    keys: Sequence[Sequence[str]],
    results: Mapping[str, Mapping[str, Any]],
    stem: Mapping[str, Any],
    head: Mapping[str, Any],
) -> Library:
    """`blocks[n]` has name, options (texts), input_shape and output_shape; `keys[n][m]` leads to the result.

    Options whose training failed are left out of the space and named in `failures`. Raises FailedPrecondition
    when none of a block's options could be trained, with the reason of the first.
    """
    joined = []
    failures: dict[str, str] = {}
    for block, block_keys in zip(blocks, keys, strict=True):
        entries = tuple(
            entry(option, key, results[key])
            for option, key in zip(block["options"], block_keys, strict=True)
            if not results[key].get("failed")
        )
        for option, key in zip(block["options"], block_keys, strict=True):
            if reason := results[key].get("failed"):
                failures[f"{block['name']}/{option}"] = reason
        if not entries:
            reason = results[block_keys[0]]["failed"]
            raise FailedPrecondition(
                f"no option of block {block['name']!r} could be trained: {reason}", reason="TRAINING_DIVERGED"
            )
        joined.append(
            Block(
                name=block["name"],
                input_shape=tuple(block["input_shape"]),
                output_shape=tuple(block["output_shape"]),
                entries=entries,
            )
        )
    return Library(
        reference=dict(reference),
        dataset=dict(dataset),
        recipe=dict(recipe),
        provenance=dict(provenance),
        input_shape=tuple(input_shape),
        num_classes=num_classes,
        stem=part(stem),
        blocks=tuple(joined),
        head=part(head),
        failures=failures,
    )


def _costs(result: Mapping[str, Any]) -> dict[str, int]:
    return {name: int(result[name]) for name in ("parameters", "macs", "weight_bytes", "activation_bytes")}
