"""A predictor on one library, as tables: everything that depends on one block alone is looked up, not computed.

Before the transform to accuracy a predictor of first or second order is t = c + l'z + z'B z, where the K inputs z
of block n depend on its choice only. So

    t = c + sum_n u_n[choice_n] + sum_{n < n'} z_n[choice_n]' C_nn' z_n'[choice_n']

with a table u_n of one number for each option. A first-order predictor is the first sum alone: N look-ups.
The second takes N more look-ups and one small matrix product, whatever the number of options.

Shapes: A architectures, N blocks, M_n options, K qualities, D = N K inputs, block by block.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from donna.space.target import Target, forward, inverse

_ROWS = 8192
"""Architectures handled at a time: what they need stays in a core's cache."""


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """(A,) float64 accuracies with the ends of their intervals, and (A,) bool extrapolation marks."""

    accuracy: np.ndarray
    low: np.ndarray
    high: np.ndarray
    extrapolated: np.ndarray


@dataclass(frozen=True, kw_only=True)
class AccuracyTables:
    """All tables are indexed by the block's choice. `half_width` is half the width of an interval, in units of the
    target; infinite where nothing is known of the error."""

    constant: float
    unary: tuple[np.ndarray, ...]  # N times (M_n,)
    inputs: tuple[np.ndarray, ...]  # N times (M_n, K); empty for a first-order predictor
    cross_DD: np.ndarray  # upper triangle, zero inside a block
    unseen: tuple[
        np.ndarray, ...
    ]  # N times (M_n,) bool: a quality outside the range that the samples covered
    target: Target
    half_width: float

    @property
    def num_options(self) -> tuple[int, ...]:
        """M_n for every block n."""
        return tuple(len(unary_M) for unary_M in self.unary)

    def targets(self, choices_AN: np.ndarray) -> np.ndarray:
        """(A,) float64 target values of choices of any integer type that are known to be in the space."""
        t_A = np.full(len(choices_AN), self.constant)
        for start in range(0, len(choices_AN), _ROWS):
            self._add(t_A[start : start + _ROWS], choices_AN[start : start + _ROWS])
        return t_A

    def accuracies(self, choices_AN: np.ndarray) -> np.ndarray:
        """(A,) predicted accuracies in [0, 1] of choices that are known to be in the space."""
        return inverse(self.target, self.targets(choices_AN))

    def predict(self, choices_AN: np.ndarray) -> Predictions:
        """The same, with intervals and extrapolation marks."""
        accuracy_A = self.accuracies(choices_AN)
        t_A = forward(self.target, accuracy_A)
        return Predictions(
            accuracy=accuracy_A,
            low=inverse(self.target, t_A - self.half_width),
            high=inverse(self.target, t_A + self.half_width),
            extrapolated=self._extrapolated(choices_AN),
        )

    def _extrapolated(self, choices_AN: np.ndarray) -> np.ndarray:
        unseen_A = np.zeros(len(choices_AN), dtype=bool)
        for n, unseen_M in enumerate(self.unseen):
            if unseen_M.any():
                unseen_A |= unseen_M[choices_AN[:, n]]
        return unseen_A

    def _add(self, t_A: np.ndarray, choices_AN: np.ndarray) -> None:
        columns = np.ascontiguousarray(choices_AN.T, dtype=np.intp)
        for table, choice_A in zip(self.unary, columns, strict=True):
            t_A += table.take(choice_A)
        if self.inputs:
            z = [table.take(choice_A, axis=0) for table, choice_A in zip(self.inputs, columns, strict=True)]
            Z_AD = np.concatenate(z, axis=1)
            t_A += np.einsum("ad,ad->a", Z_AD @ self.cross_DD, Z_AD)
