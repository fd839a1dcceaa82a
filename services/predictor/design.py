"""Which architectures to finetune: uniform over the space, or D-optimal for the regression.

A D-optimal design maximises log det(X'X + R) over the rows X of its architectures: it shrinks the volume
of the coefficients' confidence region. X holds the intercept and the second-order columns (features.py) of
the library's NSR. R is diagonal, tiny for intercept and first order and 1 for second order: with fewer
samples than coefficients the first order comes first (Bayesian D-optimality, DuMouchel and Jones 1994).
Architectures already known count into X'X, so that a design builds on them.

The search is coordinate exchange (Meyer and Nachtsheim 1995): block by block, each architecture takes
the option that gains most, det(M + f f') = det(M) (1 + f'M^-1 f), until nothing gains. It needs no list of
candidates, so the size of the space does not matter. [design: our choice; the method samples at random]

Shapes: k architectures to choose, N blocks, M_n options, P columns with the intercept.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from donna.errors import InvalidArgument
from donna.space import Library
from services.predictor.features import design_matrix
from services.predictor.quality import NSR, block_qualities

_STARTS, _STARTS_VISITS = 3, 600
_SWEEPS, _MOST_VISITS = 12, 60_000
_BULK = 1.2
_QUARTILES = 1.349  # between the quartiles of a normal distribution, in deviations
MAX_DESIGN = 1000
"""Largest design that is searched for in one call."""
_LEAST_GAIN = 1e-6
_TIE = 1e-9
_PRIOR_FIRST, _PRIOR_SECOND = 1e-3, 1.0


def uniform(num_options: Sequence[int], k: int, exclude: np.ndarray, seed: int) -> np.ndarray:
    """(k, N) distinct architectures, uniform over the space without those of `exclude` (E, N).

    Raises InvalidArgument when the space does not have that many.
    """
    taken = {tuple(row) for row in exclude.tolist()}
    space = 1
    for count in num_options:
        space *= count
    if k > space - len(taken):
        raise InvalidArgument.of(
            "num_architectures", f"must be at most {space - len(taken)}, what the space has left, got {k}"
        )
    rng = np.random.default_rng(seed)
    chosen: list[tuple[int, ...]] = []
    if space <= 4 * (k + len(taken)):
        for index in rng.permutation(space):
            row = tuple(int(choice) for choice in np.unravel_index(index, tuple(num_options)))
            if row not in taken:
                chosen.append(row)
    while len(chosen) < k:
        for row in map(tuple, rng.integers(0, num_options, size=(k, len(num_options))).tolist()):
            if row not in taken:
                taken.add(row)
                chosen.append(row)
    return np.array(chosen[:k], dtype=np.int64).reshape(k, len(num_options))


def d_optimal(library: Library, k: int, exclude: np.ndarray, seed: int) -> np.ndarray:
    """(k, N) distinct architectures that, beside the known ones of `exclude` (E, N), inform most.

    The best of a few starts; equal seeds give equal designs. Raises as `uniform` does.
    """
    exchange = Exchange(standardised(library), exclude, seed)
    starts = max(1, min(_STARTS, _STARTS_VISITS // (k * len(library.blocks))))
    designs = [
        exchange.improve(uniform(library.num_options, k, exclude, seed + start)) for start in range(starts)
    ]
    return max(designs, key=exchange.log_det)


class Exchange:
    """Coordinate exchange over the standardised qualities z_n (M_n,) of every block."""

    def __init__(self, tables: list[np.ndarray], known: np.ndarray, seed: int = 0) -> None:
        self.tables = tables
        self._rng = np.random.default_rng(seed)
        self.powers = [z[:, None] ** np.arange(3) for z in tables]
        self.known = {tuple(row) for row in known.tolist()}
        N = len(tables)
        F_EP = self.rows(known.reshape(-1, N))
        prior_P = np.full(F_EP.shape[1], _PRIOR_SECOND)
        prior_P[: N + 1] = _PRIOR_FIRST
        self.known_PP = np.diag(prior_P) + F_EP.T @ F_EP

    def inputs(self, choices_AN: np.ndarray) -> np.ndarray:
        """(A, N) standardised qualities of architectures."""
        return np.stack([z[choices_AN[:, n]] for n, z in enumerate(self.tables)], axis=1)

    def rows(self, choices_AN: np.ndarray) -> np.ndarray:
        """(A, P) columns of architectures."""
        return _columns(self.inputs(choices_AN))

    def log_det(self, design_kN: np.ndarray) -> float:
        """What a design is judged by."""
        F_kP = self.rows(design_kN)
        return float(np.linalg.slogdet(self.known_PP + F_kP.T @ F_kP)[1])

    def improve(self, design_kN: np.ndarray) -> np.ndarray:
        """A design in which no exchange of one block's option gains any more (or as good as that)."""
        design_kN = design_kN.copy()
        taken = self.known | {tuple(row) for row in design_kN.tolist()}
        value = self.log_det(design_kN)
        for _ in range(min(_SWEEPS, max(1, _MOST_VISITS // design_kN.size))):  # large designs get fewer
            F_kP = self.rows(design_kN)
            inverse_PP = np.linalg.inv(self.known_PP + F_kP.T @ F_kP)
            for row_N in design_kN:
                taken.discard(tuple(row_N.tolist()))
                inverse_PP = _rank_one(inverse_PP, self.rows(row_N[None])[0], -1.0)
                z_N = self.inputs(row_N[None])[0]
                for n in range(len(row_N)):
                    row_N[n] = self._best_option(row_N, z_N, n, inverse_PP, taken)
                    z_N[n] = self.tables[n][row_N[n]]
                inverse_PP = _rank_one(inverse_PP, _columns(z_N[None])[0], 1.0)
                taken.add(tuple(row_N.tolist()))
            before, value = value, self.log_det(design_kN)
            if value - before < _LEAST_GAIN:
                break
        return design_kN

    def _best_option(
        self, row_N: np.ndarray, z_N: np.ndarray, n: int, inverse_PP: np.ndarray, taken: set[tuple[int, ...]]
    ) -> int:
        """The option of block n that gains most, among those that make no architecture of `taken`.

        The columns are quadratic in z_n, f = a + b z_n + c z_n^2, so f'M^-1 f is a quartic: three rows tell
        the gain of every option.
        """
        Z_3N = np.repeat(z_N[None], 3, axis=0)
        Z_3N[:, n] = (0.0, 1.0, -1.0)
        zero, plus, minus = _columns(Z_3N)
        abc_3P = np.stack([zero, (plus - minus) / 2, (plus + minus) / 2 - zero])
        powers_M3 = self.powers[n]
        gain_M = (powers_M3 @ (abc_3P @ inverse_PP @ abc_3P.T) * powers_M3).sum(axis=1)
        gain_M[row_N[n]] += _LEAST_GAIN * (1 + abs(gain_M[row_N[n]]))  # a tie changes nothing, so sweeps end
        choices = row_N.tolist()
        while True:  # ends: the option that the row has is not taken
            # Options at the edge of the bulk tie; whichever is taken, another block type is sampled.
            best = np.flatnonzero(gain_M >= gain_M.max() * (1 - _TIE))
            choices[n] = int(self._rng.choice(best)) if len(best) > 1 else int(best[0])
            if tuple(choices) not in taken:
                return choices[n]
            gain_M[choices[n]] = -np.inf


def _columns(Z_AN: np.ndarray) -> np.ndarray:
    """(A, P) columns of standardised qualities: the intercept and the second-order design."""
    return np.concatenate([np.ones((len(Z_AN), 1)), design_matrix(Z_AN, 2)], axis=1)


def standardised(library: Library) -> list[np.ndarray]:
    """(M_n,) standardised NSR of every block's entries, pulled in to the bulk of +-1.2 deviations.

    A design for the raw values is made of the worst and best entries only, where the regression holds
    least; entries beyond the bulk count as at its edge. Measured on curved ground truths, where the raw
    design lost to uniform sampling and this one wins. Centre and deviation are those of the quartiles, so
    that one entry whose training diverged does not decide where the bulk is.
    """
    tables = []
    for n in range(len(library.blocks)):
        q_M = block_qualities(library, n, NSR)
        low, centre, high = np.quantile(q_M, [0.25, 0.5, 0.75])
        spread = (high - low) / _QUARTILES or float(q_M.std()) or 1.0
        tables.append(np.clip((q_M - centre) / spread, -_BULK, _BULK))
    return tables


def _rank_one(inverse_PP: np.ndarray, f_P: np.ndarray, sign: float) -> np.ndarray:
    """The inverse of M + sign f f' from that of M (Sherman and Morrison)."""
    g_P = inverse_PP @ f_P
    return inverse_PP - np.outer(g_P, g_P) * (sign / (1.0 + sign * float(f_P @ g_P)))
