"""The learning rate: rises over the warm-up, falls to nearly nothing, as the formula says."""

import math

import pytest

from donna.nets.schedule import factor


def test_values_by_hand():
    steps = [factor(step, 10, 0.2) for step in range(10)]
    assert steps[:2] == pytest.approx([1 / 3, 2 / 3])
    assert steps[2:] == pytest.approx([(1 + math.cos(math.pi * k / 8)) / 2 for k in range(8)])


def test_without_warmup_the_peak_comes_first():
    assert factor(0, 7, 0.0) == 1.0
    assert 0 < factor(6, 7, 0.0) < 0.1


@pytest.mark.parametrize("steps", [1, 2, 3, 50])
@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.5, 0.99])
def test_it_rises_then_falls_and_stays_positive(steps, warmup):
    values = [factor(step, steps, warmup) for step in range(steps)]
    top = values.index(max(values))
    assert values[: top + 1] == sorted(values[: top + 1])
    assert values[top:] == sorted(values[top:], reverse=True)
    assert 0 < min(values)
    assert max(values) <= 1
