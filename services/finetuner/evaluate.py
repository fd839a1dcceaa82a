"""Accuracy and loss of a network on one part of the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from donna.data import Part

BATCH_SIZE = 256


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Top-1 `accuracy` in [0, 1] and mean cross-entropy `loss` over `num_samples` images."""

    accuracy: float
    loss: float
    num_samples: int


def measure(logits_SK: Tensor, labels_S: Tensor) -> Evaluation:
    """Accuracy and cross-entropy of logits."""
    return Evaluation(
        accuracy=float((logits_SK.argmax(dim=1) == labels_S).double().mean()),
        loss=float(F.cross_entropy(logits_SK.double(), labels_S)),
        num_samples=len(labels_S),
    )


def logits(network: nn.Module, part: Part) -> Tensor:
    """(S, K) float32 logits of every image of the part, in its order, on the CPU."""
    return all_logits(network, part)[0]


def all_logits(
    network: nn.Module, part: Part, others: Sequence[Callable[[Tensor], Tensor]] = ()
) -> list[Tensor]:
    """The same of the network, in eval mode, and of each of the others, which take images on the CPU: every image of
    the part is read once for all of them."""
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    found: list[list[Tensor]] = [[] for _ in range(1 + len(others))]
    try:
        with torch.inference_mode():
            for images, _ in part.batches(BATCH_SIZE):
                found[0].append(network(images.to(device)).float().cpu())
                for i, other in enumerate(others, 1):
                    found[i].append(other(images))
    finally:
        network.train(was_training)
    return [torch.cat(batches) for batches in found]
