"""Latencies taken in turns."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from donna.pipeline.turns import ROUNDS, Latency, speedup


def test_a_change_of_pace_in_between_does_not_change_the_ratio() -> None:
    pace = np.array([1.0, 1.0, 1.7, 1.7, 1.7])
    assert speedup(tuple(0.4 * pace), tuple(0.1 * pace)) == pytest.approx(4.0)


def test_the_median_is_that_of_numpy_and_lies_in_the_interval() -> None:
    latency = Latency(rounds_ms=(0.3, 0.1, 0.2, 0.5, 0.4), num_settled=5)
    assert latency.median_ms == np.median(latency.rounds_ms) == 0.3
    assert latency.interval_ms == (0.1, 0.5)


def test_the_interval_covers_as_often_as_it_says() -> None:
    """By enumeration: the true median is missed when all rounds fall on the same side of it."""
    sides = list(itertools.product((0, 1), repeat=ROUNDS))
    missed = sum(len(set(side)) == 1 for side in sides)
    assert 1 - missed / len(sides) == 1 - 2 / 2**ROUNDS == 0.9375


@pytest.mark.parametrize(
    ("rounds_ms", "num_settled", "unstable"),
    [
        ((1.0, 1.02, 0.99, 1.01, 1.0), 5, False),
        ((1.0, 1.02, 0.99, 1.01, 1.0), 2, True),
        ((1.0, 1.0, 1.7, 1.7, 1.7), 5, True),
    ],
)
def test_unsettled_or_distant_rounds_are_unstable(
    rounds_ms: tuple[float, ...], num_settled: int, unstable: bool
) -> None:
    assert Latency(rounds_ms=rounds_ms, num_settled=num_settled).unstable is unstable
