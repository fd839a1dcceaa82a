"""Everything that a search has evaluated, in order: the table behind ListEvaluations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from donna.errors import DataLoss
from services.searcher.arrays import decode, encode
from services.searcher.metric import Metric

FORMAT = "donna.evaluations/1"


@dataclass(frozen=True, kw_only=True)
class Evaluations:
    """`X` (A, N) choices, `generation` (A,) that asked for them, `values` (A, V) in the order of `metrics`
    (NaN where unknown), `feasible` (A,), `notes` (A, D) in the order of `devices`: indices into `words`, ""
    or why there is no settled latency."""

    metrics: tuple[Metric, ...]
    devices: tuple[str, ...]
    X: np.ndarray
    generation: np.ndarray
    values: np.ndarray
    feasible: np.ndarray
    notes: np.ndarray
    words: tuple[str, ...]

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
        notes: Sequence[Sequence[str]],
    ) -> Evaluations:
        """From one (A,) array for each metric, and one word for each architecture and device."""
        words = sorted({word for row in notes for word in row} | {""})
        coded = [[words.index(word) for word in row] for row in notes]
        return cls(
            metrics=tuple(metrics),
            devices=tuple(devices),
            X=X,
            generation=generation,
            values=np.stack([values[metric] for metric in metrics], axis=1),
            feasible=feasible,
            notes=np.array(coded, dtype=np.int64).reshape(len(X), len(devices)),
            words=tuple(words),
        )

    def note(self, row: int) -> dict[str, str]:
        """The words of one row by device; no word where there is nothing to say."""
        words = [self.words[code] for code in self.notes[row]]
        return {device: word for device, word in zip(self.devices, words, strict=True) if word}

    def to_bytes(self) -> bytes:
        """As bytes: JSON."""
        header = {
            "format": FORMAT,
            "metrics": [str(metric) for metric in self.metrics],
            "devices": list(self.devices),
            "words": list(self.words),
        }
        arrays = {name: encode(getattr(self, name)) for name in _ARRAYS}
        return json.dumps(header | arrays, sort_keys=True).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Evaluations:
        """The inverse of `to_bytes`. Raises DataLoss for anything else."""
        try:
            values = json.loads(data)
            if values["format"] != FORMAT:
                raise DataLoss(f"a table of evaluations has format {values['format']!r}, expected {FORMAT!r}")
            return cls(
                metrics=tuple(Metric.parse(text) for text in values["metrics"]),
                devices=tuple(values["devices"]),
                words=tuple(values["words"]),
                **{name: decode(values[name], "a table of evaluations") for name in _ARRAYS},
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataLoss(f"a table of evaluations cannot be read ({type(error).__name__})") from error


_ARRAYS = ("X", "generation", "values", "feasible", "notes")
