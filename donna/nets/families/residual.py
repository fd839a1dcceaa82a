"""The two residual blocks of ResNet, which differ in what stands between the shortcut's ends.

Source: He et al., Deep Residual Learning, CVPR 2016; groups as in Xie et al., ResNeXt, CVPR 2017. The width
is a share of the block's output channels, so that one option serves every stage.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from donna.nets.arguments import Parameter
from donna.nets.families.family import Family, Place
from donna.nets.families.layers import ACTIVATION, ACTIVATIONS, DEPTH, KERNEL, convolution, hidden_width

WIDTH = Parameter(
    name="width", kind=float, about="inner channels per output channel", default=1, minimum=0.0625, maximum=8
)
GROUPS = Parameter(
    name="groups",
    kind=int,
    about="groups of the spatial convolutions; inner channels are rounded up to a multiple",
    default=1,
    minimum=1,
    maximum=256,
)
Body = Callable[[int, int, int, int, int, tuple[int, int], str], nn.Module]


class ResidualUnit(nn.Module):
    """activation(shortcut(x) + body(x)); the shortcut is a 1x1 convolution where the shape changes."""

    def __init__(self, body: nn.Module, shortcut: nn.Module, activation: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut, self.activation = body, shortcut, activation

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, C, H, W) to the block's output shape."""
        return self.activation(self.body(x_BCHW) + self.shortcut(x_BCHW))


def _bottleneck(
    channels: int, inner: int, out: int, kernel: int, groups: int, strides: tuple[int, int], activation: str
) -> nn.Module:
    return nn.Sequential(
        convolution(channels, inner, activation=activation),
        convolution(inner, inner, kernel, strides=strides, groups=groups, activation=activation),
        convolution(inner, out),
    )


def _basic(
    channels: int, inner: int, out: int, kernel: int, groups: int, strides: tuple[int, int], activation: str
) -> nn.Module:
    return nn.Sequential(
        convolution(channels, inner, kernel, strides=strides, groups=groups, activation=activation),
        convolution(inner, out, kernel, groups=groups),
    )


def _build(
    place: Place, body: Body, *, kernel: int, width: float, depth: int, activation: str, groups: int
) -> nn.Module:
    strides, channels, out = place.strides, place.input_shape[0], place.output_shape[0]
    inner = -(-hidden_width(out, width) // groups) * groups
    units = []
    for _ in range(depth):
        same = strides == (1, 1) and channels == out
        shortcut = nn.Identity() if same else convolution(channels, out, strides=strides)
        units.append(
            ResidualUnit(
                body(channels, inner, out, kernel, groups, strides, activation),
                shortcut,
                ACTIVATIONS[activation](),
            )
        )
        channels, strides = out, (1, 1)
    return nn.Sequential(*units)


def _build_basic(place: Place, *, groups: int, **parameters: Any) -> nn.Module:
    """Both of its convolutions are spatial, so the channels on either side are in groups, too."""
    place.need_map("basic")
    for channels in (place.input_shape[0], place.output_shape[0]):
        if channels % groups:
            raise place.misfit(f"{groups} groups do not divide {channels} channels")
    return _build(place, _basic, groups=groups, **parameters)


BOTTLENECK = Family(
    name="bottleneck",
    about="reduce with 1x1, convolve, restore with 1x1 around a shortcut (ResNet-50, ResNeXt)",
    parameters=(KERNEL, WIDTH, GROUPS, DEPTH, ACTIVATION),
    build=lambda place, **parameters: _build(place, _bottleneck, **parameters),
)
BASIC = Family(
    name="basic",
    about="two convolutions around a shortcut (ResNet-18)",
    parameters=(KERNEL, WIDTH, GROUPS, DEPTH, ACTIVATION),
    build=_build_basic,
)
