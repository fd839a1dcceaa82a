"""Which options are trained, and in which groups: as many together as the memory budget holds, since each
group costs its own passes of the reference."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
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


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`groups` are trained one reference pass per batch each; `reused` are known already."""

    groups: tuple[tuple[Variant, ...], ...]
    reused: tuple[Variant, ...]
    memory_bytes: int

    @property
    def blocks_to_train(self) -> int:
        """Number of variants in all groups."""
        return sum(map(len, self.groups))


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


def make_plan(
    found: Sequence[Variant],
    known: Collection[str],
    *,
    budget_bytes: int,
    shared_bytes: int,
    batch_size: int,
    threads: int,
) -> Plan:
    """Groups the variants whose key is not `known`, in order, under the budget.

    `shared_bytes` is what a group needs whatever its variants: the reference and the feature maps of two batches.
    A group holds at least one variant, however small the budget; equal keys are trained once.
    """
    missing: dict[str, Variant] = {}
    for variant in found:
        if variant.key not in known:
            missing.setdefault(variant.key, variant)
    groups: list[list[Variant]] = []
    largest = 0
    for variant in missing.values():
        if not groups or _need([*groups[-1], variant], shared_bytes, batch_size, threads) > budget_bytes:
            groups.append([])
        groups[-1].append(variant)
        largest = max(largest, _need(groups[-1], shared_bytes, batch_size, threads))
    reused = tuple(variant for variant in found if variant.key in known)
    return Plan(groups=tuple(map(tuple, groups)), reused=reused, memory_bytes=largest)


def shared_bytes(cut: Cut, batch_size: int) -> int:
    """The reference's weights, the peak of its pass over one batch, and the feature maps of two batches."""
    costs = count(cut.model, cut.input_shape)
    maps = sum(_size(shape) for shape in (cut.input_shapes[0], *cut.output_shapes)) * _FLOAT_BYTES
    return costs.weight_bytes + batch_size * (costs.activation_bytes + 2 * maps)


def _need(group: Sequence[Variant], shared: int, batch_size: int, threads: int) -> int:
    at_once = sorted((variant.step_bytes for variant in group), reverse=True)[:threads]
    return shared + sum(variant.resident_bytes for variant in group) + batch_size * sum(at_once)


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
