"""The layers that several convolutional families share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from donna.nets.arguments import Parameter

# Those whose gradient needs their output alone work in place, on what a normalisation has just written: a map less to
# write and to keep. An activation must not come first in a block, whose input others read too.
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": partial(nn.ReLU, inplace=True),
    "relu6": partial(nn.ReLU6, inplace=True),
    "silu": nn.SiLU,
    "hard_swish": nn.Hardswish,
    "gelu": nn.GELU,
}
# A multiple of 8 suits vector units, and lets every hidden width be split into groups of 8.
GROUP_WIDTH = 8

KERNEL = Parameter(name="kernel", kind=int, about="kernel size in pixels", choices=(1, 3, 5, 7, 9))
EXPANSION = Parameter(
    name="expansion", kind=float, about="hidden channels per input channel", minimum=0.125, maximum=16
)
DEPTH = Parameter(name="depth", kind=int, about="number of layers", default=1, minimum=1, maximum=16)
ACTIVATION = Parameter(
    name="activation", kind=str, about="activation function", default="relu", choices=tuple(ACTIVATIONS)
)
ATTENTION = Parameter(
    name="attention", kind=str, about="channel attention", default="none", choices=("none", "squeeze_excite")
)


def hidden_width(channels: int, expansion: float) -> int:
    """`channels * expansion`, rounded to the nearest positive multiple of 8."""
    return max(GROUP_WIDTH, int(channels * expansion + GROUP_WIDTH / 2) // GROUP_WIDTH * GROUP_WIDTH)


class SmallMapConv2d(nn.Conv2d):
    """The same convolution, but for two things that CPUs are slow at.

    Where the kernel is larger than the map it is padded by itself in training: the gradient of such a kernel takes 3 to
    20 times as long when the library pads (13 ms against 4 ms for 64 maps of 128x4x4 and a depthwise 5x5 kernel, one
    thread, torch 2.15). And a depthwise convolution stays in float32 where others run in bfloat16, which takes up to
    6 times as long for it.
    """

    def forward(self, input: Tensor) -> Tensor:
        """As nn.Conv2d."""
        if input.device.type != "cpu":
            return super().forward(input)
        if self.groups == self.in_channels and torch.is_autocast_enabled("cpu"):
            with torch.autocast("cpu", enabled=False):
                return self._convolve(input.float())
        return self._convolve(input)

    def _convolve(self, input: Tensor) -> Tensor:
        if not (self.training and max(self.kernel_size) > min(input.shape[2:])):
            return super().forward(input)
        vertical, horizontal = (kernel // 2 for kernel in self.kernel_size)
        padded = pad(input, (horizontal, horizontal, vertical, vertical))
        return conv2d(padded, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


def convolution(
    in_channels: int,
    out_channels: int,
    kernel: int = 1,
    *,
    strides: tuple[int, int] = (1, 1),
    groups: int = 1,
    activation: str | None = None,
) -> nn.Sequential:
    """Convolution, batch normalisation and, when named, activation."""
    layers: list[nn.Module] = [
        SmallMapConv2d(
            in_channels, out_channels, kernel, stride=strides, padding=kernel // 2, groups=groups, bias=False
        ),
        nn.BatchNorm2d(out_channels),
    ]
    if activation is not None:
        layers.append(ACTIVATIONS[activation]())
    return nn.Sequential(*layers)


class SqueezeExcite(nn.Module):
    """Scales channels by a gate of all channels' means; Hu et al., Squeeze-and-Excitation, CVPR 2018."""

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        squeezed = max(4, channels // reduction)
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.ReLU(),
            nn.Conv2d(squeezed, channels, 1),
            nn.Hardsigmoid(),
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """The same shape."""
        return x_BCHW * self.gate(x_BCHW)


class Residual(nn.Module):
    """x + body(x), for a body that keeps the shape."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x + self.body(x)
