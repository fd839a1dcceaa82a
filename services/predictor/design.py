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
from donna.space.library import NSR
from services.predictor.features import ROOT2, Order, design_matrix, num_columns
from services.predictor.quality import block_qualities

_STARTS, _STARTS_VISITS = 3, 600
_SWEEPS, _MOST_VISITS = 12, 20_000
_BULK, _FAR = 1.2, 3.0
_QUARTILES = 1.349  # between the quartiles of a normal distribution, in deviations
MAX_DESIGN = 1000
"""Largest design that is searched for in one call."""
MAX_COLUMNS = 500
"""Spaces of more blocks (from 31) are designed for the first order alone: a design must not take minutes."""
_LEAST_GAIN = 1e-6
_TIE = 1e-9
_PRIOR_FIRST, _PRIOR_SECOND = 1e-3, 1.0


def uniform(num_options: Sequence[int], k: int, exclude: np.ndarray, seed: int | Sequence[int]) -> np.ndarray:
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

    The best of a few starts; equal seeds give equal designs. Their random numbers are their own: what a uniform sample
    of the same seed draws, to judge what comes of the design, had no part in it. Raises as `uniform` does.
    """
    exchange = Exchange(standardised(library), exclude, [seed, _STARTS + 1])
    starts = max(1, min(_STARTS, _STARTS_VISITS // (k * len(library.blocks))))
    designs = [
        exchange.improve(uniform(library.num_options, k, exclude, [seed, 1 + start]))
        for start in range(starts)
    ]
    return max(designs, key=exchange.log_det)


def most_informative(library: Library, candidates_CN: np.ndarray, k: int, known: np.ndarray) -> np.ndarray:
    """(k, N) of the (C, N) distinct candidates that, beside the `known` (E, N), inform the regression most.

    One after the other the candidate of largest gain, the variance of its prediction; greedy, since log det is
    submodular. Candidates are of somebody's choice, so only entries far outside the bulk are pulled in.
    Raises InvalidArgument when fewer than k candidates are not known.
    """
    taken = {tuple(row) for row in known.tolist()}
    known_C = np.array([tuple(row) in taken for row in candidates_CN.tolist()])
    if k > (~known_C).sum():
        raise InvalidArgument.of(
            "num_architectures", f"must be at most {(~known_C).sum()}, the candidates not yet known, got {k}"
        )
    exchange = Exchange(standardised(library, bulk=_FAR), known)
    F_CP = exchange.rows(candidates_CN)
    inverse_PP = np.linalg.inv(exchange.known_PP)
    gain_C = np.where(known_C, -np.inf, np.einsum("cp,cp->c", F_CP @ inverse_PP, F_CP))
    chosen: list[int] = []
    for _ in range(k):
        best = int(np.argmax(gain_C))
        gain_C -= (F_CP @ (inverse_PP @ F_CP[best])) ** 2 / (1.0 + gain_C[best])
        gain_C[best] = -np.inf
        _rank_one(inverse_PP, F_CP[best], 1.0)
        chosen.append(best)
    return candidates_CN[chosen]


class Exchange:
    """Coordinate exchange over the standardised qualities z_n (M_n,) of every block.

    Of second order, and of first order where that would have more than MAX_COLUMNS columns.
    """

    def __init__(self, tables: list[np.ndarray], known: np.ndarray, seed: int | Sequence[int] = 0) -> None:
        N = len(tables)
        self.tables = tables
        self.order: Order = 2 if num_columns(N, 2) <= MAX_COLUMNS else 1
        self._rng = np.random.default_rng(seed)
        self._powers = [z[:, None] ** np.arange(5) for z in tables]
        # The columns that hold z_n once: its own, and its product with each other block's.
        self._once = 1 + np.arange(N)[:, None]
        if self.order == 2:
            self._once = np.diag(1 + np.arange(N))
            d, e = np.triu_indices(N, k=1)
            self._once[d, e] = self._once[e, d] = 1 + 2 * N + np.arange(len(d))
        self.known = {tuple(row) for row in known.tolist()}
        F_EP = self.rows(known.reshape(-1, N))
        self._crossed = self._once[:, :, None] * F_EP.shape[1] + self._once[:, None, :]  # flat, of (P, P)
        prior_P = np.full(F_EP.shape[1], _PRIOR_SECOND)
        prior_P[: N + 1] = _PRIOR_FIRST
        self.known_PP = np.diag(prior_P) + F_EP.T @ F_EP

    def inputs(self, choices_AN: np.ndarray) -> np.ndarray:
        """(A, N) standardised qualities of architectures."""
        return np.stack([z[choices_AN[:, n]] for n, z in enumerate(self.tables)], axis=1)

    def rows(self, choices_AN: np.ndarray) -> np.ndarray:
        """(A, P) columns of architectures: the intercept and the design of its order."""
        Z_AN = self.inputs(choices_AN)
        return np.concatenate([np.ones((len(Z_AN), 1)), design_matrix(Z_AN, self.order)], axis=1)

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
            for i, f_P in enumerate(F_kP):
                choices = design_kN[i].tolist()
                taken.discard(tuple(choices))
                _rank_one(inverse_PP, f_P, -1.0)
                self._exchange(choices, f_P, inverse_PP, taken)
                _rank_one(inverse_PP, f_P, 1.0)
                taken.add(tuple(choices))
                design_kN[i] = choices
            before, value = value, self.log_det(design_kN)
            if value - before < _LEAST_GAIN:
                break
        return design_kN

    def _exchange(
        self, choices: list[int], f_P: np.ndarray, inverse_PP: np.ndarray, taken: set[tuple[int, ...]]
    ) -> None:
        """Gives each block in turn its best option; `choices` and their columns `f_P` change in place."""
        g_P = inverse_PP @ f_P
        z_N = f_P[1 : 1 + len(choices)]  # a view: it follows the columns
        for n, z_M in enumerate(self.tables):
            once = self._once[n]
            slope = np.ones(1) if self.order == 1 else z_N.copy()
            slope[n if self.order == 2 else 0] = 1.0
            gain_M = self._powers[n] @ self._quartic(n, float(z_N[n]), slope, f_P, g_P, inverse_PP)
            option = self._best_option(choices, n, gain_M, taken)
            if option == choices[n]:
                continue
            choices[n] = option
            step, z = float(z_M[option] - z_N[n]), float(z_M[option])
            change_P = inverse_PP[:, once] @ (slope * step)
            if self.order == 2:
                square = 1 + len(choices) + n
                change_P += inverse_PP[:, square] * ((z**2 - z_N[n] ** 2) / ROOT2)
                f_P[square] = (z**2 - 1.0) / ROOT2
            g_P += change_P
            f_P[once] += slope * step

    def _quartic(
        self, n: int, z: float, slope: np.ndarray, f_P: np.ndarray, g_P: np.ndarray, inverse_PP: np.ndarray
    ) -> np.ndarray:
        """(5,) coefficients of the gain f'M^-1 f as a function of block n's input, which now is `z`.

        The columns are quadratic in it, f = a + b z + c z^2, so the gain is a quartic. b has the entries `slope`,
        c a single one; with g = M^-1 f known that takes N^2 steps, not P^2.
        """
        once = self._once[n]
        bg = float(g_P.take(once) @ slope)
        bb = float(slope @ inverse_PP.take(self._crossed[n]) @ slope)
        cg = bc = cc = 0.0
        if self.order == 2:
            square = 1 + len(self.tables) + n
            cg = float(g_P[square]) / ROOT2
            bc = float(inverse_PP[square].take(once) @ slope) / ROOT2
            cc = float(inverse_PP[square, square]) / 2
        ab, ac = bg - z * bb - z**2 * bc, cg - z * bc - z**2 * cc
        aa = float(f_P @ g_P) - z * (bg + ab) - z**2 * (cg + ac)
        return np.array([aa, 2 * ab, bb + 2 * ac, 2 * bc, cc])

    def _best_option(
        self, row: Sequence[int], n: int, gain_M: np.ndarray, taken: set[tuple[int, ...]]
    ) -> int:
        """The option of block n that gains most, among those that make no architecture of `taken`."""
        choices = list(row)
        gain_M[row[n]] += _LEAST_GAIN * (1 + abs(gain_M[row[n]]))  # a tie changes nothing, so sweeps end
        while True:  # ends: the option that the row has is not taken
            # Options at the edge of the bulk tie; whichever is taken, another block type is sampled.
            best = np.flatnonzero(gain_M >= gain_M.max() * (1 - _TIE))
            choices[n] = int(best[self._rng.integers(len(best))]) if len(best) > 1 else int(best[0])
            if choices[n] == row[n] or tuple(choices) not in taken:
                return choices[n]
            gain_M[choices[n]] = -np.inf


def standardised(library: Library, bulk: float = _BULK) -> list[np.ndarray]:
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
        tables.append(np.clip((q_M - centre) / spread, -bulk, bulk))
    return tables


def _rank_one(inverse_PP: np.ndarray, f_P: np.ndarray, sign: float) -> None:
    """Makes the inverse of M that of M + sign f f' (Sherman and Morrison), in place."""
    g_P = inverse_PP @ f_P
    inverse_PP -= np.outer(g_P * (sign / (1.0 + sign * float(f_P @ g_P))), g_P)
