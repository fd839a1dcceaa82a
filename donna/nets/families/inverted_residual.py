"""Inverted residual: expand with 1x1, convolve depthwise or in groups, attend, project with 1x1.

Source: Sandler et al., MobileNetV2, CVPR 2018; with squeeze-excite as in MobileNetV3. The grouped variant
convolves groups of 8 channels.
"""

from __future__ import annotations

from torch import nn

from donna.nets.arguments import Parameter
from donna.nets.families.family import Family, Place
from donna.nets.families.layers import (
    ACTIVATION,
    ATTENTION,
    DEPTH,
    EXPANSION,
    GROUP_WIDTH,
    KERNEL,
    Residual,
    SqueezeExcite,
    convolution,
    hidden_width,
)

CONVOLUTION = Parameter(
    name="convolution",
    kind=str,
    about="how the hidden channels are convolved",
    default="depthwise",
    choices=("depthwise", "grouped"),
)


def _build(
    place: Place,
    *,
    kernel: int,
    expansion: float,
    depth: int,
    activation: str,
    attention: str,
    convolution: str,
) -> nn.Module:
    place.need_map("inverted_residual")
    strides, channels, out_channels = place.strides, place.input_shape[0], place.output_shape[0]
    layers = []
    for _ in range(depth):
        hidden = hidden_width(channels, expansion)
        groups = hidden if convolution == "depthwise" else hidden // GROUP_WIDTH
        layer = _layer(channels, hidden, out_channels, kernel, strides, groups, activation, attention)
        layers.append(Residual(layer) if strides == (1, 1) and channels == out_channels else layer)
        channels, strides = out_channels, (1, 1)
    return nn.Sequential(*layers)


def _layer(
    channels: int,
    hidden: int,
    out_channels: int,
    kernel: int,
    strides: tuple[int, int],
    groups: int,
    activation: str,
    attention: str,
) -> nn.Module:
    expand = convolution(channels, hidden, activation=activation)
    spatial = convolution(hidden, hidden, kernel, strides=strides, groups=groups, activation=activation)
    attend = [SqueezeExcite(hidden)] if attention == "squeeze_excite" else []
    return nn.Sequential(expand, spatial, *attend, convolution(hidden, out_channels))


FAMILY = Family(
    name="inverted_residual",
    about="expand, convolve depthwise or in groups of 8, project (MobileNet)",
    parameters=(KERNEL, EXPANSION, DEPTH, ACTIVATION, ATTENTION, CONVOLUTION),
    build=_build,
)
