"""The state of an evolution between two generations: with its archive, all that it needs to go on bit by bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from donna.errors import DataLoss
from services.searcher.arrays import decode, encode

FORMAT = "donna.search-state/2"
_ARRAYS = ("survivors", "rank", "crowding")


@dataclass(frozen=True, kw_only=True)
class SearchState:
    """`survivors` (P,) are the rows of the archive that form the population, with their `rank` and `crowding`, NaN
    where survival gave none. `generator` is the state of numpy's bit generator as its own dictionary.
    """

    survivors: np.ndarray
    rank: np.ndarray
    crowding: np.ndarray
    generation: int
    generator: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The state as JSON values; equal states have equal values."""
        arrays = {name: encode(getattr(self, name)) for name in _ARRAYS}
        return {"format": FORMAT, "generation": self.generation, "generator": self.generator, **arrays}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> SearchState:
        """The inverse of `to_json`, bit by bit. Raises DataLoss for anything else."""
        if values.get("format") != FORMAT:
            raise DataLoss(f"a stored search state has format {values.get('format')!r}, expected {FORMAT!r}")
        arrays = {name: decode(values.get(name), "a stored search state") for name in _ARRAYS}
        return cls(**arrays, generation=values["generation"], generator=values["generator"])
