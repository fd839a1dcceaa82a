"""The description of a dataset: JSON from a request, checked field by field before anything is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from donna.data import augment, registry
from donna.data.normalisation import Normalisation
from donna.errors import InvalidArgument

PARTS = ("training", "quality", "validation", "test")
DEFAULT_SPLIT: Mapping[str, float | int] = {
    "training": 0.6,
    "quality": 0.1,
    "validation": 0.15,
    "test": 0.15,
    "seed": 0,
}
_KEYS = ("provider", "arguments", "split", "augment", "normalise")
_MAX_SEED = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Description:
    """`sizes` maps each of training, quality, validation and test to a count (int) or a share (float)."""

    provider: str
    arguments: dict[str, Any]
    sizes: dict[str, int | float]
    seed: int
    augment: tuple[dict[str, Any], ...]
    normalisation: Normalisation | None

    @classmethod
    def parse(cls, raw: object) -> Description:
        """Raises InvalidArgument naming the field (`dataset.split.training`) that is wrong."""
        if not isinstance(raw, Mapping):
            raise InvalidArgument.of("dataset", f"must be a mapping, got {type(raw).__name__}")
        for key in raw:
            if key not in _KEYS:
                raise InvalidArgument.of(f"dataset.{key}", f"is not known; known are {', '.join(_KEYS)}")
        provider = raw.get("provider")
        if not isinstance(provider, str) or not provider:
            raise InvalidArgument.of("dataset.provider", f"must name a dataset provider, got {provider!r}")
        registered = registry.provider(provider)
        arguments = raw.get("arguments") or {}
        if not isinstance(arguments, Mapping):
            raise InvalidArgument.of("dataset.arguments", f"must be a mapping, got {arguments!r}")
        registered.check(arguments)
        split = raw.get("split") or {}
        normalise = raw.get("normalise")
        return cls(
            provider=provider,
            arguments=dict(arguments),
            sizes=_sizes(split),
            seed=_seed(split.get("seed", DEFAULT_SPLIT["seed"])),
            augment=augment.parse(raw.get("augment") or []),
            normalisation=Normalisation.parse(normalise) if normalise is not None else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """The description with every default written out: equal datasets have equal dicts."""
        described: dict[str, Any] = {
            "provider": self.provider,
            "arguments": dict(sorted(self.arguments.items())),
            "split": {**self.sizes, "seed": self.seed},
            "augment": [dict(step) for step in self.augment],
        }
        if self.normalisation is not None:
            described["normalise"] = {
                "mean": list(self.normalisation.mean),
                "std": list(self.normalisation.std),
            }
        return described


def _sizes(split: object) -> dict[str, int | float]:
    if not isinstance(split, Mapping):
        raise InvalidArgument.of("dataset.split", f"must be a mapping, got {split!r}")
    for key in split:
        if key not in (*PARTS, "seed"):
            raise InvalidArgument.of(
                f"dataset.split.{key}", f"is not a part; the parts are {', '.join(PARTS)}, and seed"
            )
    return {part: _size(part, split.get(part, DEFAULT_SPLIT[part])) for part in PARTS}


def _size(part: str, size: object) -> int | float:
    field = f"dataset.split.{part}"
    if isinstance(size, bool) or not isinstance(size, (int, float)):
        raise InvalidArgument.of(field, f"must be a count or a share, got {size!r}")
    if size < 0 or (isinstance(size, float) and not size <= 1):
        raise InvalidArgument.of(field, f"must be a count from 0 or a share in [0, 1], got {size!r}")
    if part == "training" and not size:
        raise InvalidArgument.of(field, "must not be empty")
    return size or 0


def _seed(seed: object) -> int:
    if type(seed) is not int or not 0 <= seed <= _MAX_SEED:
        raise InvalidArgument.of("dataset.split.seed", f"must be an integer in 0..{_MAX_SEED}, got {seed!r}")
    return seed
