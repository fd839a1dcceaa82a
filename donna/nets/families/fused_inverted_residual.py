"""Fused inverted residual: one full convolution expands, 1x1 projects.

Source: Tan and Le, EfficientNetV2, ICML 2021 (Fused-MBConv).
"""

from __future__ import annotations

from torch import nn

from donna.nets.families.family import Family, Place
from donna.nets.families.layers import (
    ACTIVATION,
    ATTENTION,
    DEPTH,
    EXPANSION,
    KERNEL,
    Residual,
    SqueezeExcite,
    convolution,
    hidden_width,
)


def _build(
    place: Place, *, kernel: int, expansion: float, depth: int, activation: str, attention: str
) -> nn.Module:
    strides, channels, out_channels = place.strides, place.input_shape[0], place.output_shape[0]
    layers = []
    for _ in range(depth):
        hidden = hidden_width(channels, expansion)
        layer = nn.Sequential(
            convolution(channels, hidden, kernel, strides=strides, activation=activation),
            *([SqueezeExcite(hidden)] if attention == "squeeze_excite" else []),
            convolution(hidden, out_channels),
        )
        layers.append(Residual(layer) if strides == (1, 1) and channels == out_channels else layer)
        channels, strides = out_channels, (1, 1)
    return nn.Sequential(*layers)


FAMILY = Family(
    name="fused_inverted_residual",
    about="expand with a full convolution, project (EfficientNetV2)",
    parameters=(KERNEL, EXPANSION, DEPTH, ACTIVATION, ATTENTION),
    build=_build,
)
