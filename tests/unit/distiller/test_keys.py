"""Keys: equal work has equal keys, and everything that changes a block changes its key."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from donna.space import Option
from services.distiller.keys import METHOD, block_key, seed_of, source_key
from services.distiller.recipe import Recipe

SOURCE: dict[str, Any] = {
    "reference": {"provider": "small_cnn", "arguments": {"widths": [8]}, "provenance": {"a": "b"}},
    "weights": "0" * 64,
    "input_shape": (1, 8, 8),
    "dataset": "identity",
}
BLOCK: dict[str, Any] = {
    "source": "s",
    "block": "stage1",
    "option": Option.of("skip"),
    "recipe": Recipe(epochs=2),
}


def test_keys_are_stable() -> None:
    """Written out: a key that moves without a change of METHOD throws away every trained block there is."""
    recipe = (
        '{"batch_size":64,"calibration_batches":32,"epochs":2,"learning_rate":0.003,"optimizer":"adamw",'
        '"precision":"float32","quality_points":3,"replace_one_quality":false,"seed":0,"warmup_fraction":0.1,"weight_decay":0.0}'
    )
    said = f'{{"block":"stage1","method":"{METHOD}","option":"skip()","recipe":{recipe},"source":"s"}}'
    assert block_key(**BLOCK) == hashlib.sha256(said.encode()).hexdigest()
    assert source_key(**SOURCE) == source_key(
        **{**SOURCE, "reference": {**SOURCE["reference"], "provenance": {}}}
    )


@pytest.mark.parametrize(
    "change",
    [
        {"source": "t"},
        {"block": "stage2"},
        {"option": Option.of("reference")},
        {"recipe": Recipe(epochs=3)},
        {"recipe": Recipe(epochs=2, seed=1)},
        {"recipe": Recipe(epochs=2, batch_size=32)},
    ],
)
def test_whatever_changes_a_block_changes_its_key(change: dict[str, Any]) -> None:
    assert block_key(**{**BLOCK, **change}) != block_key(**BLOCK)


@pytest.mark.parametrize(
    "change",
    [
        {"weights": "1" * 64},
        {"dataset": "another"},
        {"input_shape": (1, 16, 16)},
        {"reference": {"provider": "small_cnn", "arguments": {"widths": [16]}}},
    ],
)
def test_whatever_blocks_learn_from_is_in_the_source(change: dict[str, Any]) -> None:
    assert source_key(**{**SOURCE, **change}) != source_key(**SOURCE)


def test_seeds_differ_between_blocks() -> None:
    assert len({seed_of(f"{n}", 0) for n in range(100)}) == 100
    assert seed_of("a", 0) != seed_of("a", 1)
