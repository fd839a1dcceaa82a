"""The ranking of a block's options at the last two points of their training, against scipy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from donna.space import Block, Entry
from donna.space.settling import rank_correlation


def block(curves: Sequence[Sequence[float]]) -> Block:
    rest: dict[str, Any] = dict.fromkeys(("parameters", "macs", "weight_bytes", "activation_bytes"), 0)
    entries = tuple(
        Entry(
            option="skip()", key="", quality=0, weights="", fragment="", curve=tuple(enumerate(curve)), **rest
        )
        for curve in curves
    )
    return Block(name="a", input_shape=(1, 1, 1), output_shape=(1, 1, 1), entries=entries)


@pytest.mark.parametrize("seed", range(5))
def test_is_spearmans_also_with_ties(seed: int) -> None:
    qualities = np.random.default_rng(seed).integers(0, 6, (12, 3)).astype(float)
    expected = spearmanr(qualities[:, 1], qualities[:, 2]).statistic
    assert rank_correlation(block(qualities.tolist())) == pytest.approx(expected, abs=1e-12)


def test_nothing_is_said_of_too_little() -> None:
    assert rank_correlation(block([[0.1, 0.2], [0.3, 0.4]])) is None
    assert rank_correlation(block([[0.1], [0.3], [0.2]])) is None
    assert rank_correlation(block([[0.1, 0.2]] * 3)) is None
    assert rank_correlation(block([[1, 3], [2, 2], [3, 1], [7]])) == pytest.approx(-1)
