"""Registered optimisers. Biases and normalisation parameters are not decayed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn
from torch.optim import SGD, AdamW, Optimizer


def _adamw(groups: list[dict[str, Any]], learning_rate: float) -> Optimizer:
    return AdamW(groups, lr=learning_rate, fused=True)


def _sgd(groups: list[dict[str, Any]], learning_rate: float) -> Optimizer:
    return SGD(groups, lr=learning_rate, momentum=0.9, nesterov=True, fused=True)


OPTIMIZERS: Mapping[str, Callable[[list[dict[str, Any]], float], Optimizer]] = {
    "adamw": _adamw,
    "sgd": _sgd,
}


def build(name: str, network: nn.Module, learning_rate: float, weight_decay: float) -> Optimizer:
    """The optimiser of that name over the trainable parameters of `network`; vectors are not decayed."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return OPTIMIZERS[name]([group for group in groups if group["params"]], learning_rate)
