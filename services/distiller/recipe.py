"""How blocks are trained: every number of the distillation, checked field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from donna.allowed import Allowed, Flag, Number, Word, read
from donna.nets.schedule import factor

OPTIMIZERS = ("adamw", "sgd")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """`epochs` are passes of the training part through each block; `calibration_batches` batches estimate the
    normalisation statistics again before a quality is measured; `warmup_fraction` is a share of the steps.

    The quality is measured at `quality_points` evenly spaced points of the training, the last at its end: whether
    the ranking of a block's options still changes between the last two says whether `epochs` were enough.

    `precision` is what convolutions and matrix products of the options compute in while they train; weights, losses and
    qualities are float32. It is asked for, not chosen by the device: equal recipes give equal blocks."""

    epochs: float = 1.0
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.0
    warmup_fraction: float = 0.1
    seed: int = 0
    optimizer: str = "adamw"
    calibration_batches: int = 32
    quality_points: int = 3
    replace_one_quality: bool = False
    precision: str = "float32"

    def steps_per_epoch(self, num_samples: int) -> int:
        """Full batches of `num_samples` training images; at least one, however small."""
        return max(1, num_samples // self.batch_size)

    def steps(self, num_samples: int) -> int:
        """Optimiser steps of each block."""
        return max(1, round(self.epochs * self.steps_per_epoch(num_samples)))

    def quality_steps(self, num_samples: int) -> tuple[int, ...]:
        """The steps after which the quality is measured, increasing; the last is the last of all."""
        steps, points = self.steps(num_samples), self.quality_points
        return tuple(sorted({max(1, round(steps * point / points)) for point in range(1, points + 1)}))

    def learning_rate_at(self, step: int, steps: int) -> float:
        """The rate of step 0..steps-1: `learning_rate` is the peak of donna.nets.schedule."""
        return self.learning_rate * factor(step, steps, self.warmup_fraction)

    def to_dict(self) -> dict[str, Any]:
        """JSON; equal recipes have equal dicts."""
        return asdict(self)

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Recipe:
        """From JSON, missing fields by default. Raises InvalidArgument naming every wrong field at once."""
        return cls(**read(raw, _ALLOWED, "recipe", "a distillation recipe"))


_ALLOWED: Allowed = {
    "epochs": Number(float, 0, 100_000, excluded=True),
    "batch_size": Number(int, 2, 65_536),
    "learning_rate": Number(float, 1e-9, 100),
    "weight_decay": Number(float, 0, 10),
    "warmup_fraction": Number(float, 0, 0.99),
    "seed": Number(int, 0, 2**31 - 1),
    "optimizer": Word(OPTIMIZERS),
    "calibration_batches": Number(int, 1, 10_000),
    "quality_points": Number(int, 1, 100),
    "replace_one_quality": Flag(),
    "precision": Word(("float32", "bfloat16")),
}
