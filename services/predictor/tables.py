"""Bulk prediction: everything that depends on one block alone is looked up, not computed.

Before the transform to accuracy the model is t = c + l'z + z'B z (features.py), where the K inputs of
block n depend on its choice only. So

    t = c + sum_n u_n[choice_n] + sum_{n < n'} 2 z_n[choice_n]' B_nn' z_n'[choice_n']

with a table u_n of one number for each option. A first-order model is the first sum alone: N look-ups.
The second takes N more look-ups and one small matrix product, whatever the number of options.

Shapes: A architectures, N blocks, M_n options, K qualities, D = K N inputs, here block by block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from donna.space import Library
from services.predictor.features import Order, quadratic_form
from services.predictor.quality import Scale, standardised_table, unseen_table

_ROWS = 8192
"""Architectures handled at a time: what they need stays in a core's cache."""


@dataclass(frozen=True, kw_only=True)
class Tables:
    """A model on one library. All tables are indexed by the block's choice."""

    constant: float
    unary: tuple[np.ndarray, ...]  # N times (M_n,)
    inputs: tuple[np.ndarray, ...]  # N times (M_n, K); empty for a first-order model
    cross_DD: np.ndarray  # upper triangle, zero inside a block
    unseen: tuple[np.ndarray, ...]  # N times (M_n,) bool

    @classmethod
    def of(
        cls, library: Library, scales: Sequence[Scale], order: Order, intercept: float, w_P: np.ndarray
    ) -> Tables:
        """Tables of a linear model; raises FailedPrecondition when an entry lacks one of the qualities."""
        N, K = len(library.blocks), len(scales)
        constant, l_D, B_DD = quadratic_form(intercept, w_P, K * N, order)
        by_block = np.arange(K * N).reshape(K, N).T.ravel()
        l_NK, B_DD = l_D[by_block].reshape(N, K), B_DD[np.ix_(by_block, by_block)]
        z = [standardised_table(library, scales, n) for n in range(N)]
        unary = []
        for n in range(N):
            own = slice(n * K, (n + 1) * K)
            unary.append(z[n] @ l_NK[n] + np.einsum("mk,kj,mj->m", z[n], B_DD[own, own], z[n]))
            B_DD[own, : (n + 1) * K] = 0.0
        return cls(
            constant=constant,
            unary=tuple(unary),
            inputs=tuple(z) if order == 2 else (),
            cross_DD=2 * B_DD,
            unseen=tuple(unseen_table(library, scales, n) for n in range(N)),
        )

    def predict(self, choices_AN: np.ndarray) -> np.ndarray:
        """(A,) float64 target values of choices of any integer type that are known to be in the space."""
        t_A = np.full(len(choices_AN), self.constant)
        for start in range(0, len(choices_AN), _ROWS):
            self._add(t_A[start : start + _ROWS], choices_AN[start : start + _ROWS])
        return t_A

    def extrapolated(self, choices_AN: np.ndarray) -> np.ndarray:
        """(A,) bool: whether any block's quality lies outside the range that the samples covered."""
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
