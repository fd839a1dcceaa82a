"""How a network is trained end to end: every number of a run, checked field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from donna.allowed import Allowed, Number, Word, read

OPTIMIZERS = ("adamw", "sgd")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """`epochs` are passes over the training part (0 only evaluates); `soft_weight` is the share of the
    reference's soft targets in the loss; `ema_decay` 0 means no averaging of weights."""

    epochs: float = 10.0
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup_fraction: float = 0.1
    soft_weight: float = 0.5
    temperature: float = 4.0
    label_smoothing: float = 0.0
    ema_decay: float = 0.0
    optimizer: str = "adamw"
    seed: int = 0
    initialization: str = "pretrained"
    processes: int = 1

    def steps_per_epoch(self, num_samples: int) -> int:
        """Full batches of `num_samples` training images; at least one, however small."""
        return max(1, num_samples // self.batch_size)

    def steps(self, num_samples: int) -> int:
        """Optimiser steps of the whole run."""
        return round(self.epochs * self.steps_per_epoch(num_samples))

    def to_dict(self) -> dict[str, Any]:
        """JSON; equal recipes have equal dicts."""
        return asdict(self)

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Recipe:
        """From JSON, missing fields by default. Raises InvalidArgument naming every wrong field at once."""
        return cls(**read(raw, _ALLOWED, "recipe", "a finetune recipe"))


_ALLOWED: Allowed = {
    "epochs": Number(float, 0, 100_000),
    "batch_size": Number(int, 1, 65_536),
    "learning_rate": Number(float, 1e-9, 100),
    "weight_decay": Number(float, 0, 10),
    "warmup_fraction": Number(float, 0, 0.99),
    "soft_weight": Number(float, 0, 1),
    "temperature": Number(float, 0.01, 100),
    "label_smoothing": Number(float, 0, 0.99),
    "ema_decay": Number(float, 0, 0.999999),
    "optimizer": Word(OPTIMIZERS),
    "seed": Number(int, 0, 2**31 - 1),
    "initialization": Word(("pretrained", "random")),
    "processes": Number(int, 1, 64),
}
