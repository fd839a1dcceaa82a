"""The state of an evolution between two generations: all that it needs to go on bit by bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from donna.errors import DataLoss
from services.searcher.arrays import pack, unpack

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

    def to_bytes(self) -> bytes:
        """The state as bytes; equal states have equal bytes."""
        header = {"format": FORMAT, "generation": self.generation, "generator": self.generator}
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        narrow = np.min_scalar_type(int(self.X.max(initial=0)))  # most of the bytes would be zeros
        return pack(header, arrays | {"X": self.X.astype(narrow)})

    @classmethod
    def from_bytes(cls, data: bytes) -> SearchState:
        """The inverse of `to_bytes`. Raises DataLoss for anything else."""
        header, arrays = unpack(data, _ARRAYS, "a stored search state")
        if header.get("format") != FORMAT:
            raise DataLoss(f"a stored search state has format {header.get('format')!r}, expected {FORMAT!r}")
        arrays["X"] = arrays["X"].astype(np.int64)
        return cls(**arrays, generation=header["generation"], generator=header["generator"])
