"""The state of a search between two generations, as bytes: npz with a JSON header, never a pickle."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np

from donna.errors import DataLoss

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
        text = json.dumps(header, sort_keys=True).encode()
        buffer = io.BytesIO()
        np.savez(
            buffer,
            allow_pickle=False,
            header=np.frombuffer(text, dtype=np.uint8),
            **{name: getattr(self, name) for name in _ARRAYS},
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> SearchState:
        """The inverse of `to_bytes`, bit by bit. Raises DataLoss for anything else."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as stored:
                header = json.loads(stored["header"].tobytes())
                arrays = {name: stored[name] for name in _ARRAYS}
            if header["format"] != FORMAT:
                raise DataLoss(f"a stored search state has format {header['format']!r}, expected {FORMAT!r}")
            return cls(**arrays, generation=header["generation"], generator=header["generator"])
        except (KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise DataLoss(f"a stored search state cannot be read ({type(error).__name__})") from error
