"""An array that grows by rows: all of them together cost as much as twice the last size, not its square."""

from __future__ import annotations

import numpy as np


class Growing:
    """Holds (A, ...) rows; `rows` is a view of them, which later rows do not change."""

    def __init__(self) -> None:
        self._held = np.zeros((0, 0))
        self._size = 0

    @property
    def rows(self) -> np.ndarray:
        """Everything, in order."""
        return self._held[: self._size]

    def append(self, rows: np.ndarray) -> None:
        """Adds rows of the shape and type of the first ones."""
        size = self._size + len(rows)
        if not self._size:
            self._held = rows.copy()
        elif size > len(self._held):
            grown = np.empty((2 * size, *self._held.shape[1:]), self._held.dtype)
            grown[: self._size] = self.rows
            self._held = grown
        self._held[self._size : size] = rows
        self._size = size

    def replace(self, rows: np.ndarray) -> None:
        """Takes these rows in place of all."""
        self._size = 0
        self.append(rows)
