"""Layers that families share, against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from donna.nets.families.layers import SmallMapConv2d, hidden_width


@pytest.mark.parametrize("side", [1, 2, 4, 7])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize(("stride", "groups"), [(1, 8), (2, 8), (2, 1), ((1, 2), 4)])
def test_a_convolution_on_a_small_map_is_the_convolution(
    side: int, kernel: int, stride: int | tuple[int, int], groups: int
) -> None:
    torch.manual_seed(0)
    ours = SmallMapConv2d(8, 8, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False)
    theirs = nn.Conv2d(8, 8, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=False)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(4, 8, side, side + 1)
    gradients = []
    for module in (ours, theirs):
        inputs = x.clone().requires_grad_()
        y = module.train()(inputs)
        y.square().sum().backward()
        gradients.append((y, inputs.grad, module.weight.grad))
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("groups", "dtype"), [(8, torch.float32), (1, torch.bfloat16), (4, torch.bfloat16)])
def test_depthwise_convolutions_stay_in_float32_on_a_cpu(groups: int, dtype: torch.dtype) -> None:
    module = SmallMapConv2d(8, 8, 3, padding=1, groups=groups)
    with torch.autocast("cpu", torch.bfloat16):
        y = module(torch.randn(2, 8, 5, 5))
    assert y.dtype == dtype
    assert module(torch.randn(2, 8, 5, 5)).dtype == torch.float32


@pytest.mark.parametrize(
    ("channels", "expansion", "expected"), [(8, 2, 16), (3, 1, 8), (10, 1.5, 16), (24, 6, 144)]
)
def test_hidden_widths_are_multiples_of_8(channels: int, expansion: float, expected: int) -> None:
    assert hidden_width(channels, expansion) == expected
