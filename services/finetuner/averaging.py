"""An exponential moving average of a network's weights (Polyak averaging), used in their place at the end."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Average:
    """average <- decay * average + (1 - decay) * weights, after every step, with a faster start:
    the decay of step t is min(decay, (1 + t) / (10 + t)), so that the random start is soon forgotten."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._decay = decay
        self._weights: list[Tensor] = list(network.parameters())
        self.tensors: list[Tensor] = [weight.detach().clone() for weight in self._weights]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Takes in the weights after step `step` (from 0)."""
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.tensors, self._weights, 1 - decay)

    @torch.no_grad()
    def apply(self) -> None:
        """Puts the average into the network; normalisation statistics must be recalibrated after it."""
        for weight, tensor in zip(self._weights, self.tensors, strict=True):
            weight.copy_(tensor)
