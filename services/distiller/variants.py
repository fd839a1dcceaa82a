"""What could be trained: every option of every block with its key, and what its training costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from donna.nets import families
from donna.nets.costs import Costs, count
from donna.nets.cut import Cut
from donna.space import Option

_FLOAT_BYTES = 4
_SMALL_MAP, _SMALL_CHANNELS = 1 << 16, 256
_TRAINING_COPIES = 4
"""Weights, gradients and two moments of the optimiser."""
_ACTIVATION_COPIES = 6
"""Activations kept for the backward pass and their gradients, against the peak of a forward pass alone."""
_TRAINING_PASSES = 3
"""A training step against a forward pass, in multiply-adds: forward, gradient of the inputs, of the weights."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """Option `m` of block `n`, with the content key of its training and its costs for one image."""

    n: int
    m: int
    option: Option
    key: str
    costs: Costs

    @property
    def resident_bytes(self) -> int:
        """Held as long as the group trains."""
        return self.costs.weight_bytes * _TRAINING_COPIES

    @property
    def step_bytes(self) -> int:
        """Held during its own step, for each image of the batch."""
        return self.costs.activation_bytes * _ACTIVATION_COPIES

    @property
    def work_macs(self) -> int:
        """Multiply-adds of training on one image."""
        return self.costs.macs * _TRAINING_PASSES


def variants(
    cut: Cut, options: Sequence[Sequence[Option]], key: Callable[[int, Option], str]
) -> list[Variant]:
    """Every option of every block with its key and its costs.

    Raises InvalidArgument for `blocks[n].options[m]` when an option does not fit its block.
    """
    return [
        Variant(
            n=n,
            m=m,
            option=option,
            key=key(n, option),
            costs=_costs(cut, n, option, f"blocks[{n}].options[{m}]"),
        )
        for n, choices in enumerate(options)
        for m, option in enumerate(choices)
    ]


def shared_bytes(cut: Cut, costs: Costs, batch_size: int) -> int:
    """The weights of the reference, whose costs are given, the peak of its pass over one batch, and the feature maps
    of two batches."""
    maps = sum(_size(shape) for shape in (cut.input_shapes[0], *cut.output_shapes)) * _FLOAT_BYTES
    return costs.weight_bytes + batch_size * (costs.activation_bytes + 2 * maps)


def _costs(cut: Cut, n: int, option: Option, field: str) -> Costs:
    """Costs of an option. Large blocks are counted on tensors that have shapes but no memory; for small ones that
    is slower than running them."""
    shapes = cut.input_shapes[n], cut.output_shapes[n]
    small = max(map(_size, shapes)) <= _SMALL_MAP and max(shape[0] for shape in shapes) <= _SMALL_CHANNELS
    with torch.random.fork_rng(devices=[]), torch.device("cpu" if small else "meta"):
        block = families.build(option, *shapes, cut.blocks[n], field)
    return count(block.to("cpu" if small else "meta"), cut.input_shapes[n])


def _size(shape: Sequence[int]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size
