"""A small residual network for small images (1x8x8 to 3x32x32): stem, four stages of one block each, head."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from donna.nets.arguments import Parameter
from donna.nets.references import Provider

NUM_STAGES = 4


class Stage(nn.Module):
    """Two residual units of 3x3 convolutions with batch normalisation; the first one has the stride."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.unit1 = ResidualUnit(in_channels, out_channels, stride)
        self.unit2 = ResidualUnit(out_channels, out_channels, 1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, H/stride, W/stride)."""
        return self.unit2(self.unit1(x_BCHW))


class ResidualUnit(nn.Module):
    """relu(shortcut(x) + conv(relu(conv(x)))), normalised after each convolution."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU()
        same = stride == 1 and in_channels == out_channels
        self.shortcut: nn.Module = nn.Identity() if same else _project(in_channels, out_channels, stride)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, H/stride, W/stride)."""
        y = self.relu(self.norm1(self.conv1(x_BCHW)))
        return self.relu(self.norm2(self.conv2(y)) + self.shortcut(x_BCHW))


def _project(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    convolution = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels))


class SmallCnn(nn.Module):
    """(B, in_channels, H, W) images to (B, num_classes) logits; stages 2 and 4 halve the resolution."""

    def __init__(self, in_channels: int, num_classes: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, widths[0], 3, padding=1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()
        )
        self.stage1 = Stage(widths[0], widths[0], 1)
        self.stage2 = Stage(widths[0], widths[1], 2)
        self.stage3 = Stage(widths[1], widths[2], 1)
        self.stage4 = Stage(widths[2], widths[3], 2)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[3], num_classes))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Images to logits."""
        x = self.stem(x_BCHW)
        return self.head(self.stage4(self.stage3(self.stage2(self.stage1(x)))))


PROVIDER = Provider(
    name="small_cnn",
    about="a small residual network for images of 8x8 to 32x32 pixels",
    parameters=(
        Parameter(name="in_channels", kind=int, about="channels of the images", minimum=1, maximum=16),
        Parameter(name="num_classes", kind=int, about="number of classes", minimum=2, maximum=100_000),
        Parameter(
            name="widths",
            kind=int,
            about="channels of the four stages",
            length=NUM_STAGES,
            default=(16, 24, 32, 48),
            minimum=1,
            maximum=2048,
        ),
    ),
    build=SmallCnn,
    provenance=lambda arguments: {"licence": "Apache-2.0", "source": "donna small_cnn"},
)
