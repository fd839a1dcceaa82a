"""The cut of a reference network into stem, blocks and head, at named submodules, with forward hooks.

Y_0 is the output of the stem, Y_n that of block n; the cut holds when block n takes exactly Y_{n-1} (one
tensor), gives exactly Y_n, and nothing else passes from before a block to behind it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from threading import Lock

import torch
from torch import Tensor, nn

from donna.errors import InvalidArgument
from donna.nets.ends import Head, Shape, Stem
from donna.nets.record import Call, find, record

_TOLERANCE = 1e-4


class _Enough(Exception):
    """The last block has run; what follows is not needed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Cut:
    """A reference cut into parts. `model` is the frozen reference itself (eval mode, no gradients).

    Shapes are without batch, (C, H, W) or (L, D): `input_shapes[n]` and `output_shapes[n]` of block n.
    """

    model: nn.Module
    names: tuple[str, ...]
    input_shape: Shape
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    num_classes: int
    stem: Stem = field(repr=False)
    blocks: tuple[nn.Module, ...] = field(repr=False)
    head: Head = field(repr=False)
    overwrites: bool = field(default=False, repr=False)
    _one_pass: Lock = field(default_factory=Lock, init=False, repr=False)

    def to(self, device: torch.device) -> Cut:
        """This cut on another device; a copy where that is not where it is."""
        parameter = next(self.model.parameters(), None)
        if parameter is None or parameter.device == device:
            return self
        model, stem, blocks, head = copy.deepcopy((self.model, self.stem, self.blocks, self.head))
        for module in (model, stem, head):
            module.to(device)
        return replace(self, model=model, stem=stem, blocks=blocks, head=head)

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """[Y_0, ..., Y_N] of (B, *input_shape) images, from one forward pass that ends after block N.

        Passes wait for each other: the hooks of one would hear the modules of another.
        """
        with self._one_pass:
            return self._feature_maps(images)

    def _feature_maps(self, images: Tensor) -> list[Tensor]:
        maps: list[Tensor] = []

        def keep(y: Tensor) -> None:
            # A block may overwrite its input (an in-place activation); the copy is made only for such models.
            maps.append(y.clone() if self.overwrites else y)

        def before(module: nn.Module, args: tuple[Tensor, ...]) -> None:
            keep(args[0])

        def after(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
            keep(output)
            if len(maps) == len(self.names) + 1:
                raise _Enough

        handles = [self.blocks[0].register_forward_pre_hook(before)]
        handles += [block.register_forward_hook(after) for block in self.blocks]
        try:
            with torch.no_grad():
                self.model(images)
        except _Enough:
            pass
        finally:
            for handle in handles:
                handle.remove()
        return maps


def cut(model: nn.Module, block_names: Sequence[str], input_shape: Sequence[int]) -> Cut:
    """Cuts `model` at `block_names` for images of (C, H, W) `input_shape`. The model is frozen in place.

    Raises InvalidArgument for `blocks[n]` when a name is unknown, a block is not one tensor in and one tensor out,
    the blocks are no chain, or a tensor bypasses them.
    """
    names, shape = tuple(block_names), tuple(input_shape)
    if not names:
        raise InvalidArgument.of("blocks", "at least one block must be named")
    blocks = tuple(find(model, name, f"blocks[{n}]") for n, name in enumerate(names))
    for n, name in enumerate(names):
        for other in (*names[:n], *names[n + 1 :]):
            if name == other or name.startswith(f"{other}."):
                raise InvalidArgument.of(f"blocks[{n}]", f"{name!r} is (part of) another block, {other!r}")
    model.eval().requires_grad_(False)
    images = torch.rand((2, *shape), generator=torch.Generator().manual_seed(0))
    logits, calls, order = record(model, names, images)
    for n, call in enumerate(calls):
        _check_block(call, calls[n - 1] if n else None, f"blocks[{n}]")
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != 2:
        raise InvalidArgument.of("reference", "must return logits of shape (B, classes) as its only output")
    found = Cut(
        model=model,
        names=names,
        input_shape=shape,
        input_shapes=tuple(tuple(call.x.shape[1:]) for call in calls),
        output_shapes=tuple(tuple(call.y.shape[1:]) for call in calls),
        num_classes=logits.shape[1],
        stem=Stem(model, names[0], shape, order.never_before(names[0])),
        blocks=blocks,
        head=Head(model, names[-1], shape, tuple(calls[-1].y.shape[1:]), order.only_before(names)),
        overwrites=any(call.overwritten for call in calls),
    )
    _check_ends(found, images, calls, logits)
    return found


def _check_block(call: Call, previous: Call | None, field: str) -> None:
    if call.y.ndim not in (3, 4) or len(call.y) != 2 or len(call.x) != 2:
        raise InvalidArgument.of(
            field, f"{call.name!r} must map (B, C, H, W) or (B, L, D) tensors, got {tuple(call.y.shape)}"
        )
    if previous is not None and (call.input_id != previous.output_id or call.changed_before):
        raise InvalidArgument.of(
            field,
            f"{call.name!r} does not take exactly the output of {previous.name!r}: the blocks must follow "
            "each other with nothing between them",
        )


def _check_ends(found: Cut, images: Tensor, calls: Sequence[Call], logits: Tensor) -> None:
    """Stem and head alone must give what the whole model gave: otherwise something else crosses the cut."""
    with torch.no_grad():
        try:
            stem = found.stem(images)
            # Other images of the same batch: a head that still looks at them cannot give the same logits.
            head = found.head(calls[-1].y.clone())
        except (AttributeError, RuntimeError, TypeError) as error:
            raise InvalidArgument.of(
                "blocks", f"stem and head cannot run alone: {str(error)[:200]}"
            ) from error
    if not _close(stem, calls[0].x):
        raise InvalidArgument.of(
            "blocks[0]", f"what runs before {found.names[0]!r} is not a function of the image"
        )
    if not _close(head, logits):
        raise InvalidArgument.of(
            f"blocks[{len(calls) - 1}]",
            f"a tensor from before {found.names[-1]!r} is used behind it, past the blocks: "
            "the cut carries only the block's own output",
        )


def _close(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool(
        torch.allclose(a, b, rtol=_TOLERANCE, atol=_TOLERANCE * float(b.abs().max()))
    )
