"""What could be trained: every option of every block with its key, and what its training costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from donna.errors import InvalidArgument
from donna.nets import families
from donna.nets.costs import Costs, count, kept_for_backward
from donna.nets.cut import Cut
from donna.space import Option

_FLOAT_BYTES = 4
_SMALL_MAP, _SMALL_CHANNELS = 1 << 16, 256
_TRAINING_COPIES = 4
"""Weights, gradients and two moments of the optimiser."""
_CHECKPOINT_COPIES = 9
"""Weights and two moments: laid out in a row, as pieces of a file, as the file."""
_TRAINING_PASSES = 3
"""A training step against a forward pass, in multiply-adds: forward, gradient of the inputs, of the weights."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """Option `m` of block `n`, with the content key of its training and its costs for one image; `kept_bytes` are those
    of a training step that the forward pass leaves to the backward pass."""

    n: int
    m: int
    option: Option
    key: str
    costs: Costs
    kept_bytes: int

    @property
    def resident_bytes(self) -> int:
        """Held as long as the group trains."""
        return self.costs.weight_bytes * _TRAINING_COPIES

    @property
    def step_bytes(self) -> int:
        """Held during its own step, for each image of the batch: what is kept, and, as the backward pass begins,
        gradients as large as the maps that are alive at once in a forward pass alone."""
        return self.kept_bytes + self.costs.activation_bytes

    @property
    def checkpoint_bytes(self) -> int:
        """Held, between steps, while a checkpoint of the group is written."""
        return self.costs.weight_bytes * _CHECKPOINT_COPIES

    @property
    def work_macs(self) -> int:
        """Multiply-adds of training on one image."""
        return self.costs.macs * _TRAINING_PASSES


def variants(
    cut: Cut, options: Sequence[Sequence[Option]], key: Callable[[int, Option], str]
) -> list[Variant]:
    """Every option of every block with its key and its costs.

    Raises InvalidArgument for `blocks[n].options[m]` when an option does not fit its block, or overwrites its input,
    which is every option's.
    """
    found = []
    for n, choices in enumerate(options):
        for m, option in enumerate(choices):
            field = f"blocks[{n}].options[{m}]"
            block = _build(cut, n, option, field)
            costs = count(block, cut.input_shapes[n])
            kept, overwrites = kept_for_backward(block, cut.input_shapes[n])
            if overwrites and families.REGISTRY.get(option.family, f"{field}.family").trained:
                raise InvalidArgument.of(
                    field,
                    f"overwrites its input, which other options read too: {option.family} begins in place",
                )
            kept += (
                2 * _size(cut.output_shapes[n]) * _FLOAT_BYTES
            )  # for the loss: difference to the target, its square
            found.append(Variant(n=n, m=m, option=option, key=key(n, option), costs=costs, kept_bytes=kept))
    return found


def shared_bytes(cut: Cut, costs: Costs, batch_size: int, references: int = 1) -> int:
    """The weights of so many copies of the reference, whose costs are given, the peak of its pass over one batch, and
    the feature maps of two batches."""
    maps = sum(_size(shape) for shape in (cut.input_shapes[0], *cut.output_shapes)) * _FLOAT_BYTES
    return references * costs.weight_bytes + batch_size * (costs.activation_bytes + 2 * maps)


def _build(cut: Cut, n: int, option: Option, field: str) -> nn.Module:
    """A block to count. Large ones are of tensors that have shapes but no memory; for small ones that is slower than
    running them."""
    shapes = cut.input_shapes[n], cut.output_shapes[n]
    small = max(map(_size, shapes)) <= _SMALL_MAP and max(shape[0] for shape in shapes) <= _SMALL_CHANNELS
    place = "cpu" if small else "meta"
    with torch.random.fork_rng(devices=[]), torch.device(place):
        return families.build(option, *shapes, cut.blocks[n], field).to(place)


def _size(shape: Sequence[int]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size
