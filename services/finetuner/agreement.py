"""How an exported model's logits compare with the network's on the same images.

Shapes: logits (S, K) of S images and K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from donna.nets.parity import RELATIVE_TOLERANCE

TIE = 1e-5
"""Two classes are tied when their logits are closer than this share of the largest logit: float32 rounds as much."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Over `num_samples` images: how many have the same top-1, and the largest difference of a logit."""

    num_samples: int
    same_top1: int
    max_abs_diff: float

    @classmethod
    def of(cls, expected_SK: Tensor, found_SK: Tensor) -> Agreement:
        """Compares what was found with what is right."""
        return cls(
            num_samples=len(expected_SK),
            same_top1=int((found_SK.argmax(dim=1) == expected_SK.argmax(dim=1)).sum()),
            max_abs_diff=float((found_SK - expected_SK).abs().max()),
        )

    def __add__(self, other: Agreement) -> Agreement:
        """Over the images of both."""
        return Agreement(
            num_samples=self.num_samples + other.num_samples,
            same_top1=self.same_top1 + other.same_top1,
            max_abs_diff=max(self.max_abs_diff, other.max_abs_diff),
        )

    @property
    def top1_agreement(self) -> float:
        """The share of images with the same top-1."""
        return self.same_top1 / self.num_samples


def problem(expected_SK: Tensor, found_SK: Tensor) -> str | None:
    """Why these are not the logits of the same network, as a phrase, or None: logits off by more than 0.1 % of the
    largest, or another top-1 on an image whose best two classes are not tied."""
    scale = max(1.0, float(expected_SK.abs().max()))
    difference = float((found_SK - expected_SK).abs().max())
    if not difference <= RELATIVE_TOLERANCE * scale:  # also when it is not a number
        return f"logits differ by {difference:g}"
    best, second = expected_SK.topk(2, dim=1).values.unbind(dim=1)
    other = (found_SK.argmax(dim=1) != expected_SK.argmax(dim=1)) & (best - second > TIE * scale)
    return f"{int(other.sum())} of {len(other)} images have another top-1" if bool(other.any()) else None
