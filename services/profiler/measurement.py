"""A measurement in the service's own words: how it is made, and what comes out. Pure."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from donna.errors import InvalidArgument, Violation
from services.profiler.stopping import StopRule

METHOD_VERSION = "4"
"""Grows with every change of how a latency is taken, and is part of a fingerprint: figures of two versions are not
compared or kept together."""

GRAPH_OPTIMIZATIONS = ("all", "extended", "basic", "none")
MAX_RUNS = 100_000
PATIENCE = 20
"""A series that has not settled after so many times `min_time_ms` will not: noise of that kind does not average out."""


@dataclass(frozen=True, kw_only=True)
class MeasurementSettings:
    """Every choice that can change a latency, named. `provider` "" means the device's default."""

    batch_size: int = 1
    threads: int = 1
    provider: str = ""
    provider_options: dict[str, str] = field(default_factory=dict)
    warmup_runs: int = 10
    min_runs: int = 30
    max_runs: int = 5_000
    min_time_ms: float = 100.0
    relative_ci_width: float = 0.02
    deadline_ms: float = 60_000.0
    affinity: tuple[int, ...] = ()
    memory_limit_bytes: int = 4 << 30
    per_layer: bool = False
    max_repeats: int = 2
    graph_optimization: str = "all"

    def check(self) -> None:
        """Raises InvalidArgument that names every field out of its range."""
        ranges: dict[str, tuple[float, float]] = {
            "batch_size": (1, 4096),
            "threads": (1, 1024),
            "warmup_runs": (0, MAX_RUNS),
            "min_runs": (1, MAX_RUNS),
            "max_runs": (1, MAX_RUNS),
            "min_time_ms": (0, 600_000),
            "relative_ci_width": (0.0005, 10),
            "deadline_ms": (100, 3_600_000),
            "memory_limit_bytes": (64 << 20, 1 << 44),
            "max_repeats": (0, 20),
        }
        wrong = [
            Violation(
                field=f"settings.{name}", description=f"must be {low} to {high}, got {getattr(self, name)}"
            )
            for name, (low, high) in ranges.items()
            if not low <= getattr(self, name) <= high
        ]
        if self.min_runs > self.max_runs:
            said = f"must be at most max_runs ({self.max_runs}), got {self.min_runs}"
            wrong.append(Violation(field="settings.min_runs", description=said))
        if self.graph_optimization not in GRAPH_OPTIMIZATIONS:
            said = f"must be one of {', '.join(GRAPH_OPTIMIZATIONS)}, got {self.graph_optimization[:40]!r}"
            wrong.append(Violation(field="settings.graph_optimization", description=said))
        if any(not 0 <= cpu < 4096 for cpu in self.affinity) or len(set(self.affinity)) < len(self.affinity):
            said = f"must be distinct processor numbers, got {list(self.affinity)[:16]}"
            wrong.append(Violation(field="settings.affinity", description=said))
        if wrong:
            raise InvalidArgument.all_of(wrong)

    @property
    def stop_rule(self) -> StopRule:
        """When one series of runs ends; none takes more than a third of the deadline."""
        return StopRule(
            min_runs=self.min_runs,
            max_runs=self.max_runs,
            min_time_ms=self.min_time_ms,
            max_time_ms=self.deadline_ms / 3,
            patience_ms=max(PATIENCE * self.min_time_ms, 500.0),
            relative_ci_width=self.relative_ci_width,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a job's spec and for the child."""
        return asdict(self) | {"affinity": list(self.affinity)}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> MeasurementSettings:
        """The inverse of `to_json`."""
        return cls(**raw | {"affinity": tuple(raw["affinity"])})


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One node of the graph as the runtime ran it."""

    name: str
    op_type: str
    provider: str
    median_ms: float


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a backend gives back: raw samples in the order taken, and what went with them. `preempted_runs` are not
    among the samples: the system had taken a processor away from them. `canary_ms` is the canary's median latency
    between the runs, and `per_canary` the median of the runs as multiples of the canary's latency around each; both 0
    where it cannot run there."""

    samples_ms: tuple[float, ...]
    attempts: int
    unstable: bool
    load_ms: float
    peak_memory_bytes: int
    network_memory_bytes: int
    nodes_by_provider: dict[str, int]
    layers: tuple[Layer, ...] = ()
    preempted_runs: int = 0
    canary_ms: float = 0.0
    per_canary: float = 0.0

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Measured:
        """From the child's answer; raises KeyError, TypeError or ValueError when it is none."""
        return cls(
            samples_ms=tuple(float(sample) for sample in raw["samples_ms"]),
            attempts=int(raw["attempts"]),
            unstable=bool(raw["unstable"]),
            load_ms=float(raw["load_ms"]),
            peak_memory_bytes=int(raw["peak_memory_bytes"]),
            network_memory_bytes=int(raw["network_memory_bytes"]),
            nodes_by_provider={str(name): int(count) for name, count in raw["nodes_by_provider"].items()},
            layers=tuple(Layer(**layer) for layer in raw["layers"]),
            preempted_runs=int(raw["preempted_runs"]),
            canary_ms=float(raw["canary_ms"]),
            per_canary=float(raw["per_canary"]),
        )


def packed(samples_ms: Sequence[float]) -> str:
    """Samples as text for the job store: little-endian doubles in base64. Of thousands of them a list of numbers would
    take ten times the memory whenever somebody looks at the measurement."""
    return base64.b64encode(np.asarray(samples_ms, dtype="<f8").tobytes()).decode()


def unpacked(samples_ms: str | list[float]) -> list[float]:
    """The inverse of `packed`; a list, as they were kept before, as it is."""
    if isinstance(samples_ms, list):
        return samples_ms
    return np.frombuffer(base64.b64decode(samples_ms), dtype="<f8").tolist()  # type: ignore[no-any-return]


def cache_key(network_sha256: str, fingerprint_sha256: str, settings: MeasurementSettings) -> str:
    """The key under which a result is kept: equal keys mean that measuring again would tell nothing new.

    `network_sha256` is that of the model, or of the list of fragments. The deadline and the memory limit
    cannot change a figure, so they are not part of it.
    """
    told = settings.to_json()
    del told["deadline_ms"], told["memory_limit_bytes"]
    parts = [network_sha256, fingerprint_sha256, told]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def fragments_sha256(hashes: tuple[str, ...]) -> str:
    """The identity of a network given as fragments, without stitching it."""
    return hashlib.sha256(("fragments:" + ",".join(hashes)).encode()).hexdigest()
