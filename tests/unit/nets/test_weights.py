"""Weights: equal bytes for equal weights, strict on the way back."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from donna.errors import DataLoss, InvalidArgument
from donna.nets.weights import dump, dump_state, load, read_state


def net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3))


def test_what_was_written_is_read_back_bit_for_bit() -> None:
    first, second = net(), net()
    load(second, dump(first))
    assert dump(second) == dump(first)
    assert all(torch.equal(a, second.state_dict()[name]) for name, a in first.state_dict().items())


def test_the_layout_in_memory_does_not_change_the_bytes() -> None:
    weights = torch.rand(4, 3, 2, 2)
    assert dump_state({"w": weights}) == dump_state({"w": weights.to(memory_format=torch.channels_last)})


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (nn.Sequential(nn.Conv2d(2, 3, 1)), r"1.running_var.*missing|missing"),
        (nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)), r"0.weight must have shape \(3, 2, 1, 1\)"),
        (
            nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1)),
            "2.bias, 2.weight not expected",
        ),
    ],
)
def test_weights_of_another_network_are_refused(other: nn.Module, why: str) -> None:
    with pytest.raises(InvalidArgument, match=why) as refused:
        load(net(), dump(other), "reference.weights")
    assert refused.value.violations[0].field == "reference.weights"


@pytest.mark.parametrize("data", [b"", b"no weights at all", b"\x80\x04\x95pickle"])
def test_what_is_not_safetensors_is_refused(data: bytes) -> None:
    with pytest.raises(DataLoss, match="not a safetensors file"):
        read_state(data)
