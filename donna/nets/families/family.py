"""What a block family is, and the place in a reference that its blocks fill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from donna.errors import InvalidArgument
from donna.nets.arguments import Parameter

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Place:
    """Where a block goes: shapes without batch, (C, H, W) or (L, D), and the reference's own block there."""

    input_shape: Shape
    output_shape: Shape
    reference_block: nn.Module | None
    field: str

    @property
    def is_map(self) -> bool:
        """(C, H, W) on both sides."""
        return len(self.input_shape) == len(self.output_shape) == 3

    @property
    def is_sequence(self) -> bool:
        """(L, D) on both sides."""
        return len(self.input_shape) == len(self.output_shape) == 2

    @property
    def strides(self) -> tuple[int, int]:
        """(vertical, horizontal) stride, by the shapes, of a convolution with padding (kernel - 1) / 2.

        Raises InvalidArgument when no stride maps one shape to the other.
        """
        self.need_map("a convolution")
        found = []
        for size_in, size_out in zip(self.input_shape[1:], self.output_shape[1:], strict=True):
            stride = -(-size_in // size_out)
            if (size_in - 1) // stride + 1 != size_out:
                raise self.misfit(f"no stride takes {size_in} pixels to {size_out}")
            found.append(stride)
        return found[0], found[1]

    def need_map(self, who: str) -> None:
        """Raises InvalidArgument unless the block maps (C, H, W) to (C, H, W)."""
        if not self.is_map:
            raise self.misfit(f"{who} needs (C, H, W) feature maps")

    def misfit(self, why: str) -> InvalidArgument:
        """The error of an option that cannot fill this place."""
        return InvalidArgument.of(
            self.field, f"does not fit a block of {self.input_shape} to {self.output_shape}: {why}"
        )


@dataclass(frozen=True, kw_only=True)
class Family:
    """A registered family. `build(place, **parameters)` gets every declared parameter, defaults filled in; it
    draws initial weights from torch's global generator, and raises `place.misfit(...)` where it cannot fit.

    `trained` is False for blocks that need no distillation, because their weights are the reference's.
    """

    name: str
    about: str
    parameters: tuple[Parameter, ...]
    build: Callable[..., nn.Module]
    trained: bool = True
