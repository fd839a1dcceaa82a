"""Accuracy and loss of a network on one part of the data."""

from __future__ import annotations

from collections.abc import Iterator
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


def evaluate(network: nn.Module, part: Part) -> Evaluation:
    """Evaluates in eval mode, on the device of the network; its mode is put back."""
    return measure(logits(network, part), torch.from_numpy(part.labels))


def measure(logits_SK: Tensor, labels_S: Tensor) -> Evaluation:
    """Accuracy and cross-entropy of logits."""
    return Evaluation(
        accuracy=float((logits_SK.argmax(dim=1) == labels_S).double().mean()),
        loss=float(F.cross_entropy(logits_SK.double(), labels_S)),
        num_samples=len(labels_S),
    )


def logits(network: nn.Module, part: Part) -> Tensor:
    """(S, K) float32 logits of every image of the part, in its order, on the CPU."""
    return torch.cat(list(batched_logits(network, (images for images, _ in part.batches(BATCH_SIZE)))))


def batched_logits(network: nn.Module, batches: Iterator[Tensor]) -> Iterator[Tensor]:
    """(B, K) float32 logits of each batch, in eval mode, on the CPU."""
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            for images in batches:
                yield network(images.to(device)).float().cpu()
    finally:
        network.train(was_training)
