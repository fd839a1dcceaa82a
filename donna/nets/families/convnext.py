"""ConvNeXt: a depthwise convolution, layer normalisation, an inverted bottleneck with GELU.

Source: Liu et al., A ConvNet for the 2020s, CVPR 2022; a block that changes shape begins with its
normalised, strided convolution. Stochastic depth is left out: blocks are too shallow to need it.
"""

from __future__ import annotations

from torch import Tensor, nn

from donna.nets.arguments import Parameter
from donna.nets.families.family import Family, Place
from donna.nets.families.layers import DEPTH, EXPANSION

KERNEL = Parameter(name="kernel", kind=int, about="kernel size in pixels", default=7, choices=(3, 5, 7, 9))


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of (B, C, H, W)."""

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """The same shape."""
        return super().forward(x_BCHW.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNextLayer(nn.Module):
    """x + scale * project(gelu(expand(norm(depthwise(x)))))."""

    def __init__(self, channels: int, kernel: int, expansion: float) -> None:
        super().__init__()
        hidden = max(1, round(channels * expansion))
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels),
            ChannelNorm(channels, eps=1e-6),
            nn.Conv2d(channels, hidden, 1),
            nn.GELU(),
            nn.Conv2d(hidden, channels, 1),
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """The same shape."""
        return x_BCHW + self.body(x_BCHW)


def _build(place: Place, *, kernel: int, expansion: float, depth: int) -> nn.Module:
    strides, channels, out_channels = place.strides, place.input_shape[0], place.output_shape[0]
    layers: list[nn.Module] = []
    if strides != (1, 1) or channels != out_channels:
        layers += [
            ChannelNorm(channels, eps=1e-6),
            # Windows that meet without gaps, and with padding only where the last one is cut off.
            nn.Conv2d(channels, out_channels, strides, stride=strides, padding=_padding(place, strides)),
        ]
    layers += [ConvNextLayer(out_channels, kernel, expansion) for _ in range(depth)]
    return nn.Sequential(*layers)


def _padding(place: Place, strides: tuple[int, int]) -> tuple[int, int]:
    """The least padding for which windows of the stride's size give the output size."""
    missing = [
        size_out * stride - size_in
        for size_in, size_out, stride in zip(
            place.input_shape[1:], place.output_shape[1:], strides, strict=True
        )
    ]
    return -(-missing[0] // 2), -(-missing[1] // 2)


FAMILY = Family(
    name="convnext",
    about="depthwise convolution, layer normalisation, inverted bottleneck (ConvNeXt)",
    parameters=(KERNEL, EXPANSION, DEPTH),
    build=_build,
)
