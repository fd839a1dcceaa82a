"""Latency from a table of blocks: what each option of each block adds, corrected on whole networks.

Blocks are measured inside a network, by swapping one at a time in a base network, because a block alone
hides what fusion and caches do at its borders. Their sum is still off, block positions more or less so:
a ridge regression on measured whole networks scales the blocks of each position, and its error on networks
that it has not seen is part of the table. Latencies are in milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

STRENGTHS = 10.0 ** np.arange(-4, 5)


@dataclass(frozen=True, kw_only=True)
class TableError:
    """Mean absolute errors as shares of the latency; `kendall_tau` of corrected against measured."""

    num_calibration: int
    num_holdout: int
    sum_relative_error: float
    calibrated_relative_error: float
    kendall_tau: float


@dataclass(frozen=True, kw_only=True)
class LatencyTable:
    """`blocks` (N, M): what an option adds to the `base_ms` of the base network, NaN where it cannot run.

    `scales` (N,) and `shift_ms` are the correction; 1 and 0 without one.
    """

    base_ms: float
    blocks: np.ndarray
    scales: np.ndarray
    shift_ms: float = 0.0

    def sum_ms(self, X: np.ndarray) -> np.ndarray:
        """(A,) plain sums of (A, N) choices."""
        return self.base_ms + self._added(X).sum(axis=1)

    def latency_ms(self, X: np.ndarray) -> np.ndarray:
        """(A,) corrected latencies; NaN where a block cannot run."""
        return self.base_ms + self.shift_ms + self._added(X) @ self.scales

    def corrected(self, X: np.ndarray, measured_ms: np.ndarray) -> LatencyTable:
        """The same table with its correction fitted to whole networks (A, N), (A,); NaN rows are ignored.

        The ridge pulls towards "no correction" (scales 1), never towards 0; its strength is chosen by
        leave-one-out error, relative to the variance of each position, so it has no unit.
        """
        known = ~np.isnan(measured_ms) & ~np.isnan(self.sum_ms(X))
        features, residual = self._added(X[known]), (measured_ms - self.sum_ms(X))[known]
        if len(residual) < 3:
            return self
        centre = features.mean(axis=0)
        spread = features.std(axis=0)
        used = spread > 1e-12
        Z = (features[:, used] - centre[used]) / spread[used]
        weights = _best_ridge(Z, residual - residual.mean())
        change = np.zeros(len(spread))
        change[used] = weights / spread[used]
        shift = float(residual.mean() - centre @ change)
        return LatencyTable(base_ms=self.base_ms, blocks=self.blocks, scales=1.0 + change, shift_ms=shift)

    def error(self, X: np.ndarray, measured_ms: np.ndarray, num_calibration: int) -> TableError:
        """How far the table is from whole networks (A, N), (A,) that it was not fitted to."""
        known = ~np.isnan(measured_ms) & ~np.isnan(self.sum_ms(X))
        X, measured_ms = X[known], measured_ms[known]
        if not len(X):
            nan = float("nan")
            return TableError(
                num_calibration=num_calibration,
                num_holdout=0,
                sum_relative_error=nan,
                calibrated_relative_error=nan,
                kendall_tau=nan,
            )
        latency_ms = self.latency_ms(X)
        return TableError(
            num_calibration=num_calibration,
            num_holdout=len(X),
            sum_relative_error=float(np.mean(np.abs(self.sum_ms(X) / measured_ms - 1.0))),
            calibrated_relative_error=float(np.mean(np.abs(latency_ms / measured_ms - 1.0))),
            kendall_tau=kendall_tau(latency_ms, measured_ms),
        )

    def _added(self, X: np.ndarray) -> np.ndarray:
        return self.blocks[np.arange(len(self.blocks)), X]


def swaps(base: np.ndarray, num_options: Sequence[int]) -> np.ndarray:
    """(1 + sum(M_n - 1), N) networks to measure for a table: the base, and each other option swapped in."""
    rows = [base]
    for n, count in enumerate(num_options):
        for m in range(count):
            if m != base[n]:
                row = base.copy()
                row[n] = m
                rows.append(row)
    return np.stack(rows)


def table_of(networks: np.ndarray, measured_ms: np.ndarray, num_options: Sequence[int]) -> LatencyTable:
    """The uncorrected table from the measured `swaps`, in their order; the base must have a latency."""
    base, base_ms = networks[0], float(measured_ms[0])
    blocks = np.full((len(num_options), max(num_options)), np.nan)
    blocks[np.arange(len(base)), base] = 0.0
    for row, latency_ms in zip(networks[1:], measured_ms[1:], strict=True):
        n = int(np.flatnonzero(row != base)[0])
        blocks[n, row[n]] = latency_ms - base_ms
    return LatencyTable(base_ms=base_ms, blocks=blocks, scales=np.ones(len(num_options)))


def kendall_tau(a: np.ndarray, b: np.ndarray) -> float:
    """Kendall's tau-a by counting pairs; NaN for fewer than two values."""
    if len(a) < 2:
        return float("nan")
    upper = np.triu_indices(len(a), k=1)
    return float(np.mean(np.sign(a[:, None] - a)[upper] * np.sign(b[:, None] - b)[upper]))


def _best_ridge(Z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Ridge weights of standardised features; the strength with the least leave-one-out error."""
    A = len(y)
    best, best_error = np.zeros(Z.shape[1]), np.inf
    for strength in STRENGTHS:
        inverse = np.linalg.inv(Z.T @ Z + strength * A * np.eye(Z.shape[1]))
        # Leave-one-out residuals of a linear smoother (Allen's PRESS); 1/A is the share of the mean.
        leverage = np.einsum("ai,ij,aj->a", Z, inverse, Z) + 1.0 / A
        weights = inverse @ Z.T @ y
        error = float(np.mean(((y - Z @ weights) / np.maximum(1.0 - leverage, 1e-9)) ** 2))
        if error < best_error:
            best, best_error = weights, error
    return best
