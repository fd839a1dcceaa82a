"""Channel means and standard deviations: x -> (x - mean) / std on images in [0, 1]."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from donna.errors import InvalidArgument


@dataclass(frozen=True, kw_only=True)
class Normalisation:
    """One mean and one standard deviation for each of the C channels, for pixel values in [0, 1]."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def apply(self, images: np.ndarray) -> np.ndarray:
        """(B, C, H, W) uint8 in 0..255 or float32 in [0, 1] -> float32, normalised, a new array."""
        scale = 255.0 if images.dtype == np.uint8 else 1.0
        std = np.asarray(self.std, dtype=np.float32)[:, None, None]
        mean = np.asarray(self.mean, dtype=np.float32)[:, None, None]
        return images * (np.float32(1.0 / scale) / std) - mean / std

    def check(self, channels: int) -> None:
        """Raises InvalidArgument unless there is one value for each channel."""
        if len(self.mean) != channels:
            raise InvalidArgument.of(
                "dataset.normalise.mean", f"has {len(self.mean)} values, the images have {channels} channels"
            )

    @classmethod
    def parse(cls, raw: object) -> Normalisation:
        """From {"mean": [...], "std": [...]}; raises InvalidArgument naming what is wrong."""
        if not isinstance(raw, Mapping) or set(raw) != {"mean", "std"}:
            raise InvalidArgument.of("dataset.normalise", f"must be {{mean: [...], std: [...]}}, got {raw!r}")
        mean, std = _numbers(raw["mean"], "mean"), _numbers(raw["std"], "std")
        if len(mean) != len(std):
            raise InvalidArgument.of("dataset.normalise.std", f"has {len(std)} values, mean has {len(mean)}")
        if min(std) <= 0:
            raise InvalidArgument.of("dataset.normalise.std", f"must be positive, got {min(std)}")
        return cls(mean=mean, std=std)


def _numbers(values: Any, name: str) -> tuple[float, ...]:
    good = isinstance(values, (list, tuple)) and values
    if not good or not all(type(v) in (int, float) and math.isfinite(v) for v in values):
        raise InvalidArgument.of(f"dataset.normalise.{name}", f"must be a list of numbers, got {values!r}")
    return tuple(float(v) for v in values)


IMAGENET = Normalisation(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
"""What torchvision's and timm's classification weights expect."""
