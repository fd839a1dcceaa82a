"""Registered optimisers, the same for blocks and for whole networks, and their state as named tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer


def _adamw(groups: list[dict[str, Any]], learning_rate: float) -> Optimizer:
    return AdamW(groups, lr=learning_rate, fused=True)


def _sgd(groups: list[dict[str, Any]], learning_rate: float) -> Optimizer:
    return SGD(groups, lr=learning_rate, momentum=0.9, nesterov=True, fused=True)


OPTIMIZERS: Mapping[str, Callable[[list[dict[str, Any]], float], Optimizer]] = {
    "adamw": _adamw,
    "sgd": _sgd,
}


def build(name: str, module: nn.Module, learning_rate: float, weight_decay: float) -> Optimizer:
    """The optimiser of that name over the trainable parameters of `module`. Vectors, which are biases and what
    normalises, are not decayed."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return OPTIMIZERS[name]([group for group in groups if group["params"]], learning_rate)


def state(optimizer: Optimizer) -> dict[str, Tensor]:
    """What the optimiser remembers, by "<number of the parameter>/<name>": the live tensors, not copies."""
    return {
        f"{i}/{name}": value
        for i, parameter in enumerate(_parameters(optimizer))
        for name, value in optimizer.state[parameter].items()
        if isinstance(value, Tensor)
    }


def restore(optimizer: Optimizer, saved: Mapping[str, Tensor]) -> None:
    """Puts what `state` gave into an optimiser of the same parameters, however the tensors lie in memory now.

    Fused optimisers walk through a parameter and its moments in the order of memory, so a moment must be laid out as
    its parameter is; and they keep their counters on the parameter's device.
    """
    parameters = _parameters(optimizer)
    for key, tensor in saved.items():
        i, _, name = key.partition("/")
        parameter = parameters[int(i)]
        optimizer.state[parameter][name] = (
            torch.empty_like(parameter, requires_grad=False).copy_(tensor)
            if tensor.shape == parameter.shape
            else tensor.to(parameter.device, copy=True)
        )


def _parameters(optimizer: Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
