"""Everything that a search has evaluated, in order, and a set to look it up."""

from __future__ import annotations

import numpy as np


class Archive:
    """`seen` holds the bytes of every evaluated int64 choice vector."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self.generation = 0
        self._parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def add(self, X: np.ndarray, F: np.ndarray, G: np.ndarray) -> None:
        """Appends one generation."""
        self.load(X, F, G, self.generation + 1)

    def load(self, X: np.ndarray, F: np.ndarray, G: np.ndarray, generation: int) -> None:
        """Appends rows; afterwards the archive is at `generation`."""
        self.seen.update(row.tobytes() for row in X)
        self._parts.append((X, F, G))
        self.generation = generation

    def replace(self, F: np.ndarray, G: np.ndarray) -> None:
        """New F and G for every row."""
        self._parts = [(self.arrays()[0], F, G)]

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """X, F and G of everything. There must have been a generation."""
        if len(self._parts) > 1:
            X, F, G = (np.concatenate(arrays) for arrays in zip(*self._parts, strict=True))
            self._parts = [(X, F, G)]
        return self._parts[0]
