"""The NSR against numpy, and the facts that define it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from donna.nets.nsr import nsr

SHAPES = [(6, 5, 4, 3), (6, 12, 5)]


def channels(y: Tensor) -> tuple[int, ...]:
    return (0, 2, 3) if y.ndim == 4 else (0, 1)


def by_channel(values: Tensor, y: Tensor) -> Tensor:
    return values[:, None, None] if y.ndim == 4 else values


@pytest.mark.parametrize("shape", SHAPES)
def test_equals_numpy(shape: tuple[int, ...]) -> None:
    y, y_hat = torch.randn(shape), torch.randn(shape)
    variance = torch.rand(5) + 0.1
    axes = channels(y)
    expected = np.mean(np.mean((y.numpy() - y_hat.numpy()) ** 2, axis=axes) / variance.numpy())
    assert nsr(y, y_hat, variance).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_is_0_for_the_same_map_and_1_for_channel_means(shape: tuple[int, ...]) -> None:
    y = torch.randn(shape, dtype=torch.float64) * 3 + 2
    variance = y.var(dim=channels(y), correction=0)
    means = y.mean(dim=channels(y), keepdim=True).expand(y.shape)
    assert nsr(y, y, variance).item() == 0
    assert nsr(y, means, variance).item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_does_not_change_when_channels_are_rescaled(shape: tuple[int, ...]) -> None:
    y, y_hat = torch.randn(shape, dtype=torch.float64), torch.randn(shape, dtype=torch.float64)
    variance = y.var(dim=channels(y), correction=0)
    scale = torch.tensor([1e-3, 0.1, 1, 10, 1e3], dtype=torch.float64)
    scaled = nsr(y * by_channel(scale, y), y_hat * by_channel(scale, y), variance * scale**2)
    assert scaled.item() == pytest.approx(nsr(y, y_hat, variance).item(), rel=1e-9)


def test_stays_finite_for_a_dead_channel() -> None:
    y = torch.zeros(2, 3, 2, 2)
    assert torch.isfinite(nsr(y, y + 1, torch.zeros(3)))
