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

RESTARTS = 3
_SWEEPS = 12
_OPTIONS_TRIED = 48
_BULK = 1.2
MAX_DESIGN = 1000
"""Largest design that is searched for in one call."""
_LEAST_GAIN = 1e-6
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
    exchange = Exchange(_tables(library), exclude, np.random.default_rng(seed))
    designs = [
        exchange.improve(uniform(library.num_options, k, exclude, seed + start)) for start in range(RESTARTS)
    ]
    return max(designs, key=exchange.log_det)


class Exchange:
    """Coordinate exchange over the standardised qualities z_n (M_n,) of every block."""

    def __init__(self, tables: list[np.ndarray], known: np.ndarray, rng: np.random.Generator) -> None:
        self.tables = tables
        self.rng = rng
        self.known = {tuple(row) for row in known.tolist()}
        N = len(tables)
        F_EP = self.rows(known.reshape(-1, N))
        prior_P = np.full(F_EP.shape[1], _PRIOR_SECOND)
        prior_P[: N + 1] = _PRIOR_FIRST
        self.known_PP = np.diag(prior_P) + F_EP.T @ F_EP

    def rows(self, choices_AN: np.ndarray) -> np.ndarray:
        """(A, P) columns of architectures."""
        Z_AN = np.stack([z[choices_AN[:, n]] for n, z in enumerate(self.tables)], axis=1)
        return np.concatenate([np.ones((len(Z_AN), 1)), design_matrix(Z_AN, 2)], axis=1)

    def log_det(self, design_kN: np.ndarray) -> float:
        """What a design is judged by."""
        F_kP = self.rows(design_kN)
        return float(np.linalg.slogdet(self.known_PP + F_kP.T @ F_kP)[1])

    def improve(self, design_kN: np.ndarray) -> np.ndarray:
        """A design in which no exchange of one block's option (of those tried) gains any more."""
        design_kN = design_kN.copy()
        taken = self.known | {tuple(row) for row in design_kN.tolist()}
        for _ in range(_SWEEPS):
            before = self.log_det(design_kN)
            F_kP = self.rows(design_kN)
            inverse_PP = np.linalg.inv(self.known_PP + F_kP.T @ F_kP)
            for i in range(len(design_kN)):
                taken.discard(tuple(design_kN[i].tolist()))
                inverse_PP = _rank_one(inverse_PP, self.rows(design_kN[i : i + 1])[0], -1.0)
                for n in range(design_kN.shape[1]):
                    design_kN[i, n] = self._best_option(design_kN[i], n, inverse_PP, taken)
                inverse_PP = _rank_one(inverse_PP, self.rows(design_kN[i : i + 1])[0], 1.0)
                taken.add(tuple(design_kN[i].tolist()))
            if self.log_det(design_kN) - before < _LEAST_GAIN:
                break
        return design_kN

    def _best_option(self, row_N: np.ndarray, n: int, inverse_PP: np.ndarray, taken: set) -> int:
        options_M = self._options(n, int(row_N[n]))
        rows_MN = np.repeat(row_N[None], len(options_M), axis=0)
        rows_MN[:, n] = options_M
        F_MP = self.rows(rows_MN)
        gain_M = np.einsum("mp,mp->m", F_MP @ inverse_PP, F_MP)
        current = int(np.flatnonzero(options_M == row_N[n])[0])
        gain_M[current] += _LEAST_GAIN * (1 + gain_M[current])  # a tie changes nothing, so sweeps end
        for m in np.argsort(-gain_M, kind="stable"):
            if tuple(rows_MN[m].tolist()) not in taken:
                return int(options_M[m])
        return int(row_N[n])

    def _options(self, n: int, current: int) -> np.ndarray:
        """All options of a block; of very many the two extremes, the current one and a random part."""
        z_M = self.tables[n]
        if len(z_M) <= _OPTIONS_TRIED:
            return np.arange(len(z_M))
        some = self.rng.choice(len(z_M), _OPTIONS_TRIED - 3, replace=False)
        return np.unique([current, int(z_M.argmin()), int(z_M.argmax()), *some.tolist()])


def _tables(library: Library) -> list[np.ndarray]:
    """Standardised NSR of every block's entries, pulled in to the bulk of +-1.2 deviations.

    A design for the raw values is made of the worst and best entries only, where the regression holds
    least; entries beyond the bulk count as at its edge. Measured on curved ground truths, where the raw
    design lost to uniform sampling and this one wins.
    """
    tables = []
    for n in range(len(library.blocks)):
        q_M = block_qualities(library, n, NSR)
        spread = float(q_M.std())
        tables.append(np.clip((q_M - q_M.mean()) / (spread if spread > 0 else 1.0), -_BULK, _BULK))
    return tables


def _rank_one(inverse_PP: np.ndarray, f_P: np.ndarray, sign: float) -> np.ndarray:
    """The inverse of M + sign f f' from that of M (Sherman and Morrison)."""
    g_P = inverse_PP @ f_P
    return inverse_PP - np.outer(g_P, g_P) * (sign / (1.0 + sign * float(f_P @ g_P)))
