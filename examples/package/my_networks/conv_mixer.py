"""ConvMixer: patches, then layers that mix positions and channels in turn.

Source: Trockman and Kolter, Patches Are All You Need?, 2022.
"""

from __future__ import annotations

from torch import Tensor, nn

from donna.nets.arguments import Parameter
from donna.nets.references import Provider


class Layer(nn.Module):
    """(B, width, H, W) to the same shape: a depthwise convolution beside a shortcut, then a pointwise one."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.positions = _normalised(nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width))
        self.channels = _normalised(nn.Conv2d(width, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.channels(x + self.positions(x))


class ConvMixer(nn.Module):
    """(B, in_channels, H, W) images to (B, num_classes) logits. `layers.0`, `layers.1`, … can be searched."""

    def __init__(
        self, *, in_channels: int, num_classes: int, width: int, depth: int, kernel: int, patch: int
    ) -> None:
        super().__init__()
        self.stem = _normalised(nn.Conv2d(in_channels, width, patch, stride=patch))
        self.layers = nn.Sequential(*(Layer(width, kernel) for _ in range(depth)))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, num_classes))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layers(self.stem(x)))


def _normalised(convolution: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(convolution, nn.GELU(), nn.BatchNorm2d(convolution.out_channels))


# Every argument that a spec may give, with its range: what is wrong is refused, with its name, before any work.
PROVIDER = Provider(
    name="conv_mixer",
    about="ConvMixer, for images of any size",
    parameters=(
        Parameter(name="in_channels", kind=int, about="channels of the images", minimum=1, maximum=16),
        Parameter(name="num_classes", kind=int, about="number of classes", minimum=2, maximum=100_000),
        Parameter(
            name="width", kind=int, about="channels of every layer", default=32, minimum=1, maximum=2048
        ),
        Parameter(name="depth", kind=int, about="number of layers", default=4, minimum=1, maximum=64),
        Parameter(name="kernel", kind=int, about="kernel size in pixels", default=5, choices=(3, 5, 7, 9)),
        Parameter(
            name="patch", kind=int, about="side of a patch in pixels", default=1, minimum=1, maximum=32
        ),
    ),
    build=ConvMixer,
    # Travels with the library and into every exported model.
    provenance=lambda arguments: {"licence": "Apache-2.0", "source": "my-networks, trained from scratch"},
)
