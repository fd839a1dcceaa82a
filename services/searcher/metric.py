"""What a search optimises and bounds: metrics of an architecture, and which way is better.

The text form of a metric is its name, with the device in brackets for latency: `accuracy`,
`latency_ms[phone]`, `parameters`, `macs`, `model_bytes`, `activation_bytes`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from donna.errors import InvalidArgument

ACCURACY = "accuracy"
LATENCY_MS = "latency_ms"
COSTS = ("parameters", "macs", "model_bytes", "activation_bytes")
NAMES = (ACCURACY, LATENCY_MS, *COSTS)

_TEXT = re.compile(r"([a-z_]+)(?:\[([A-Za-z0-9][A-Za-z0-9_.\-]{0,62})\])?")


@dataclass(frozen=True, kw_only=True, order=True)
class Metric:
    """`name` is one of NAMES; `device` is set for latency and for nothing else. Raises InvalidArgument."""

    name: str
    device: str = ""

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise InvalidArgument.of("metric", f"must be one of {', '.join(NAMES)}, got {self.name!r}")
        if (self.name == LATENCY_MS) != bool(self.device):
            wrong = "needs a device" if self.name == LATENCY_MS else f"has no device, got {self.device!r}"
            raise InvalidArgument.of("device", f"the metric {self.name} {wrong}")

    def __str__(self) -> str:
        return f"{self.name}[{self.device}]" if self.device else self.name

    @classmethod
    def parse(cls, text: str) -> Metric:
        """The inverse of `str`. Raises InvalidArgument."""
        found = _TEXT.fullmatch(text)
        if found is None:
            raise InvalidArgument.of("metric", f"must read like latency_ms[device], got {text[:80]!r}")
        return cls(name=found[1], device=found[2] or "")

    @property
    def maximise(self) -> bool:
        """Whether more is better; only of accuracy."""
        return self.name == ACCURACY

    @property
    def sign(self) -> float:
        """`sign * value` is to be minimised. The one place where the direction is decided."""
        return -1.0 if self.maximise else 1.0


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A hard bound: `minimum` <= metric <= `maximum`; at least one end is given. Raises InvalidArgument."""

    metric: Metric
    minimum: float | None = None
    maximum: float | None = None

    def __post_init__(self) -> None:
        ends = [end for end in (self.minimum, self.maximum) if end is not None]
        if not ends:
            raise InvalidArgument.of("bounds", f"the bound on {self.metric} needs min or max")
        if not all(math.isfinite(end) for end in ends) or ends != sorted(ends):
            raise InvalidArgument.of("bounds", f"the bound on {self.metric} is empty: {self}")

    def __str__(self) -> str:
        low = "" if self.minimum is None else f"{self.minimum:g} <= "
        return low + str(self.metric) + ("" if self.maximum is None else f" <= {self.maximum:g}")

    def allows(self, smallest: float, largest: float) -> bool:
        """Whether some value between `smallest` and `largest` can lie inside the bound."""
        return (self.maximum is None or smallest <= self.maximum) and (
            self.minimum is None or largest >= self.minimum
        )


def metrics_of(objectives: Sequence[Metric], bounds: Sequence[Bound]) -> tuple[Metric, ...]:
    """Every metric that is an objective or bounded, each once; the objectives come first."""
    return tuple(dict.fromkeys((*objectives, *(bound.metric for bound in bounds))))


def devices_of(metrics: Sequence[Metric]) -> tuple[str, ...]:
    """The devices whose latency is among the metrics."""
    return tuple(metric.device for metric in metrics if metric.name == LATENCY_MS)
