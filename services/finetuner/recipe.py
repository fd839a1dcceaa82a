"""How a network is trained end to end: every number of a run, checked field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from donna.errors import InvalidArgument, Violation

OPTIMIZERS = ("adamw", "sgd")
INITIALIZATIONS = ("pretrained", "random")
_MAX_SEED = 2**31 - 1


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
    def parse(cls, raw: Mapping[str, Any], field: str = "recipe") -> Recipe:
        """From JSON, missing fields by default. Raises InvalidArgument naming every wrong field at once."""
        problems = [
            Violation(field=f"{field}.{name}", description="is not a field of a finetune recipe")
            for name in raw
            if name not in cls.__dataclass_fields__
        ]
        values: dict[str, Any] = {}
        for name, (kind, low, high) in _RANGES.items():
            if name not in raw:
                continue
            value = raw[name]
            whole = kind is int
            good = isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
            if not good or (whole and value != int(value)):
                number = "a whole number" if whole else "a number"
                said = f"must be {number} in {low:g}..{high:g}, got {value!r}"
                problems.append(Violation(field=f"{field}.{name}", description=said))
            else:
                values[name] = kind(value)
        for name, words in (("optimizer", OPTIMIZERS), ("initialization", INITIALIZATIONS)):
            if name not in raw:
                continue
            if raw[name] not in words:
                said = f"must be one of {', '.join(words)}, got {raw[name]!r}"
                problems.append(Violation(field=f"{field}.{name}", description=said))
            else:
                values[name] = raw[name]
        if problems:
            raise InvalidArgument.all_of(problems)
        return cls(**values)


_RANGES: Mapping[str, tuple[type, float, float]] = {
    "epochs": (float, 0, 100_000),
    "batch_size": (int, 1, 65_536),
    "learning_rate": (float, 1e-9, 100),
    "weight_decay": (float, 0, 10),
    "warmup_fraction": (float, 0, 0.99),
    "soft_weight": (float, 0, 1),
    "temperature": (float, 0.01, 100),
    "label_smoothing": (float, 0, 0.99),
    "ema_decay": (float, 0, 0.999999),
    "seed": (int, 0, _MAX_SEED),
    "processes": (int, 1, 64),
}
