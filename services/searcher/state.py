"""The state of an evolution between two generations: all that it needs to go on bit by bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from donna.errors import DataLoss
from services.searcher.arrays import decode, encode

FORMAT = "donna.search-state/1"
_ARRAYS = ("X", "F", "G", "survivors", "rank", "crowding")


@dataclass(frozen=True, kw_only=True)
class SearchState:
    """`X` (A, N), `F` (A, K), `G` (A, B): everything evaluated. `survivors` (P,) are the rows that form the
    population, with their `rank` and `crowding`, NaN where survival gave none. `generator` is the state of
    numpy's bit generator as its own dictionary.
    """

    X: np.ndarray
    F: np.ndarray
    G: np.ndarray
    survivors: np.ndarray
    rank: np.ndarray
    crowding: np.ndarray
    generation: int
    generator: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The state as JSON values; equal states have equal values."""
        narrow = np.min_scalar_type(int(self.X.max(initial=0)))  # most of the bytes would be zeros
        arrays = {name: encode(getattr(self, name)) for name in _ARRAYS} | {
            "X": encode(self.X.astype(narrow))
        }
        return {"format": FORMAT, "generation": self.generation, "generator": self.generator, **arrays}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> SearchState:
        """The inverse of `to_json`, bit by bit. Raises DataLoss for anything else."""
        if values.get("format") != FORMAT:
            raise DataLoss(f"a stored search state has format {values.get('format')!r}, expected {FORMAT!r}")
        arrays = {name: decode(values.get(name), "a stored search state") for name in _ARRAYS}
        arrays["X"] = arrays["X"].astype(np.int64)
        return cls(**arrays, generation=values["generation"], generator=values["generator"])
