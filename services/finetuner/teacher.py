"""The reference as a teacher: its logits for every training batch.

Without augmentation an image is the same in every epoch, so the reference sees each image once, whatever
the number of epochs and of networks, while its logits fit into a worker's memory; with augmentation, or where they do
not, it sees each batch.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from donna.data import Part
from services.finetuner.evaluate import logits

STORED_BYTES = 256 << 20
"""The most that a worker keeps of logits: 67,000 images of 1,000 classes."""
_FLOAT_BYTES = 4


class Teacher(Protocol):
    """Gives the soft targets of a batch."""

    def targets(self, images_BCHW: Tensor, positions_B: np.ndarray) -> Tensor:
        """(B, K) logits of images that stand at these positions of the training part."""
        ...


class StoredTeacher:
    """Logits of the whole training part, computed once, (S, K)."""

    def __init__(self, reference: nn.Module, part: Part) -> None:
        self._logits_SK = logits(reference, part)

    def targets(self, images_BCHW: Tensor, positions_B: np.ndarray) -> Tensor:
        """Looks them up; the pixels are not read."""
        return self._logits_SK[torch.from_numpy(positions_B)].to(images_BCHW.device)


class LiveTeacher:
    """Runs the frozen reference, in eval mode, on every batch."""

    def __init__(self, reference: nn.Module) -> None:
        self._reference = reference.eval()

    def targets(self, images_BCHW: Tensor, positions_B: np.ndarray) -> Tensor:
        """Computes them from the pixels as augmented."""
        with torch.no_grad():
            return self._reference(images_BCHW)


def teacher(reference: nn.Module, part: Part) -> Teacher:
    """The cheaper teacher that is right for this part. On CPU the two give equal targets."""
    too_many = len(part) * part.dataset.num_classes * _FLOAT_BYTES > STORED_BYTES
    live = too_many or part.dataset.description.augment
    return LiveTeacher(reference) if live else StoredTeacher(reference, part)
