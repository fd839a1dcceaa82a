"""Everything that a search has evaluated, in order: the table behind ListEvaluations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from donna.errors import DataLoss
from services.searcher.arrays import pack, unpack
from services.searcher.metric import Metric

FORMAT = "donna.evaluations/1"


@dataclass(frozen=True, kw_only=True)
class Evaluations:
    """`X` (A, N) choices, `generation` (A,) that asked for them, `values` (A, V) in the order of `metrics`
    (NaN where unknown), `feasible` (A,), `notes` (A, D) in the order of `devices`: "" or why there is no
    settled latency."""

    metrics: tuple[Metric, ...]
    devices: tuple[str, ...]
    X: np.ndarray
    generation: np.ndarray
    values: np.ndarray
    feasible: np.ndarray
    notes: np.ndarray

    def __len__(self) -> int:
        return len(self.X)

    @classmethod
    def of(
        cls,
        metrics: Sequence[Metric],
        devices: Sequence[str],
        X: np.ndarray,
        generation: np.ndarray,
        values: Mapping[Metric, np.ndarray],
        feasible: np.ndarray,
        notes: np.ndarray,
    ) -> Evaluations:
        """From one (A,) array for each metric."""
        return cls(
            metrics=tuple(metrics),
            devices=tuple(devices),
            X=X,
            generation=generation,
            values=np.stack([values[metric] for metric in metrics], axis=1),
            feasible=feasible,
            notes=notes.astype(np.str_).reshape(len(X), len(devices)),
        )

    def value(self, metric: Metric) -> np.ndarray:
        """(A,) values of one metric."""
        return self.values[:, self.metrics.index(metric)]

    def to_bytes(self) -> bytes:
        """As bytes, without pickle."""
        header = {
            "format": FORMAT,
            "metrics": [str(metric) for metric in self.metrics],
            "devices": list(self.devices),
        }
        return pack(header, {name: getattr(self, name) for name in _ARRAYS})

    @classmethod
    def from_bytes(cls, data: bytes) -> Evaluations:
        """The inverse of `to_bytes`. Raises DataLoss for anything else."""
        header, arrays = unpack(data, _ARRAYS, "a table of evaluations")
        if header.get("format") != FORMAT:
            raise DataLoss(f"a table of evaluations has format {header.get('format')!r}, expected {FORMAT!r}")
        metrics = tuple(Metric.parse(text) for text in header["metrics"])
        return cls(metrics=metrics, devices=tuple(header["devices"]), **arrays)


_ARRAYS = ("X", "generation", "values", "feasible", "notes")
