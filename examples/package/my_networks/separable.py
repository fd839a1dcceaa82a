"""Depthwise separable convolutions: the blocks of MobileNet.

Source: Howard et al., MobileNets, 2017.
"""

from __future__ import annotations

from torch import nn

from donna.nets.arguments import Parameter
from donna.nets.families.family import Family, Place


def build(place: Place, *, kernel: int, depth: int) -> nn.Module:
    """A block that maps `place.input_shape` to `place.output_shape`, both (C, H, W)."""
    place.need_map("separable")  # refuses sequences, with a sentence
    channels_out = place.output_shape[0]
    channels, strides = place.input_shape[0], place.strides
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [
            nn.Conv2d(channels, channels, kernel, strides, kernel // 2, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels_out, 1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(),
        ]
        channels, strides = channels_out, (1, 1)
    return nn.Sequential(*layers[:-1])  # the last one need not be positive


FAMILY = Family(
    name="separable",
    about="depthwise, then pointwise convolutions (MobileNetV1)",
    parameters=(
        Parameter(name="kernel", kind=int, about="kernel size in pixels", default=3, choices=(3, 5, 7)),
        Parameter(name="depth", kind=int, about="number of layers", default=1, minimum=1, maximum=8),
    ),
    build=build,
)
