"""Stem and head of a cut network as modules of their own, for any model: no tracing, no rewriting.

Both are copies of the whole model in which everything that they do not run is taken out: the stem stops
where the first block would start; the head runs the model's own forward with what comes before it replaced
by zeros of the right shape (which nothing reads) and the last block replaced by the given feature map.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar

import torch
from torch import Tensor, nn

Shape = tuple[int, ...]

# The feature map on its way through a head. A context variable, so that threads can share a head.
_GIVEN: ContextVar[Tensor] = ContextVar("feature_map")


class _Reached(Exception):
    """Carries the feature map out of a forward pass that need not go on."""

    def __init__(self, x: Tensor) -> None:
        super().__init__("the end of the stem was reached")
        self.x = x


class _Stop(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise _Reached(x)


class _Blank(nn.Module):
    """Zeros of a known shape: stands for a module whose result nothing reads."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.new_zeros((x.shape[0], *self.shape))


class _Inject(nn.Module):
    """Returns the feature map given to the head, whatever comes in."""

    def forward(self, x: Tensor) -> Tensor:
        return _GIVEN.get()


class Stem(nn.Module):
    """(B, *input_shape) images to (B, *shape of Y_0): the model up to the input of its first block."""

    def __init__(self, model: nn.Module, first: str, input_shape: Shape, unused: Iterable[str]) -> None:
        super().__init__()
        keep = {name: nn.Identity() for name in unused} | {first: _Stop()}
        self.model = without(model, keep)
        _forget_unused(self, input_shape)

    def forward(self, x: Tensor) -> Tensor:
        """Y_0, the input of the first block."""
        try:
            self.model(x)
        except _Reached as reached:
            return reached.x
        raise AssertionError("the first block was not reached")


class Head(nn.Module):
    """(B, *shape of Y_N) feature maps to (B, num_classes) logits: the model after its last block."""

    def __init__(
        self,
        model: nn.Module,
        last: str,
        input_shape: Shape,
        output_shape: Shape,
        blank: Mapping[str, Shape],
    ) -> None:
        super().__init__()
        replaced: dict[str, nn.Module] = {name: _Blank(shape) for name, shape in blank.items()}
        self.model = without(model, replaced | {last: _Inject()})
        self._input_shape = input_shape
        _forget_unused(self, output_shape)

    def forward(self, y: Tensor) -> Tensor:
        """The logits of Y_N, the output of the last block."""
        token = _GIVEN.set(y)
        try:
            return self.model(y.new_zeros((y.shape[0], *self._input_shape)))
        finally:
            _GIVEN.reset(token)


def without(model: nn.Module, replaced: Mapping[str, nn.Module]) -> nn.Module:
    """A deep copy of `model` whose submodules named in `replaced` are those modules (not copied)."""
    memo = {id(model.get_submodule(name)): module for name, module in replaced.items()}
    with torch.no_grad():
        network = copy.deepcopy(model, memo)
    for name, module in replaced.items():
        network.set_submodule(name, module)
    return network


def _forget_unused(part: nn.Module, shape: Shape) -> None:
    """Parameters that the part's output does not depend on stay as plain values, no longer as its parameters:
    a class token of the stem is none of the head's."""
    parameters = dict(part.requires_grad_(True).named_parameters())
    with torch.enable_grad():
        y = part(torch.rand((2, *shape)))
    if not y.requires_grad:
        used: Sequence[Tensor | None] = [None] * len(parameters)
    else:
        used = torch.autograd.grad(y.sum(), list(parameters.values()), allow_unused=True)
    part.requires_grad_(False)
    for (name, parameter), gradient in zip(parameters.items(), used, strict=True):
        if gradient is None:
            owner, _, leaf = name.rpartition(".")
            module = part.get_submodule(owner)
            delattr(module, leaf)
            module.register_buffer(leaf, parameter.detach(), persistent=False)
