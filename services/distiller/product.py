"""What is kept of a trained block, of the stem and of the head: weights, ONNX fragment and costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from donna.nets.costs import Costs, count
from donna.nets.parity import checked_onnx
from donna.nets.weights import dump

_PROBE_BATCH = 2


@dataclass(frozen=True, kw_only=True)
class Product:
    """`weights` is a safetensors file, `fragment` an ONNX file that was compared with the module."""

    weights: bytes
    fragment: bytes
    costs: Costs


def finish(module: nn.Module, input_shape: Sequence[int]) -> Product:
    """The product of a module in float32 on the CPU, for inputs of `input_shape` (without batch).

    Raises FailedPrecondition when it cannot be exported, or computes something else in ONNX Runtime.
    """
    x = torch.randn((_PROBE_BATCH, *input_shape), generator=torch.Generator().manual_seed(0))
    fragment, _ = checked_onnx(module, x)
    return Product(weights=dump(module), fragment=fragment, costs=count(module, input_shape))
