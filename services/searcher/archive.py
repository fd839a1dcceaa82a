"""Everything that a search has evaluated, in order, and a set to look it up."""

from __future__ import annotations

import numpy as np

from services.searcher.growing import Growing


class Archive:
    """`seen` holds the bytes of every evaluated int64 choice vector."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self.generation = 0
        self._X, self._F, self._G = Growing(), Growing(), Growing()

    def add(self, X: np.ndarray, F: np.ndarray, G: np.ndarray) -> None:
        """Appends one generation."""
        self.load(X, F, G, self.generation + 1)

    def load(self, X: np.ndarray, F: np.ndarray, G: np.ndarray, generation: int) -> None:
        """Appends rows; afterwards the archive is at `generation`."""
        self.seen.update(row.tobytes() for row in X)
        for held, rows in ((self._X, X), (self._F, F), (self._G, G)):
            held.append(rows)
        self.generation = generation

    def replace(self, F: np.ndarray, G: np.ndarray) -> None:
        """New F and G for every row."""
        self._F.replace(F)
        self._G.replace(G)

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """X, F and G of everything. There must have been a generation."""
        return self._X.rows, self._F.rows, self._G.rows
