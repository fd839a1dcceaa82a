"""Fronts and hypervolumes. Everything is minimised here; F is (A, K)."""

from __future__ import annotations

import numpy as np
from pymoo.indicators.hv import HV
from pymoo.util.nds.non_dominated_sorting import find_non_dominated


def non_dominated(F: np.ndarray, G: np.ndarray | None = None) -> np.ndarray:
    """Indices of the feasible rows that no other feasible row dominates, in order; equal rows all stay.

    `G` is (A, B), feasible where <= 0; rows with NaN in F are left out.
    """
    candidates = ~np.isnan(F).any(axis=1)
    if G is not None:
        candidates &= (G <= 0).all(axis=1)
    rows = np.flatnonzero(candidates)
    return rows[find_non_dominated(F[rows])] if len(rows) else rows


def hypervolume(F: np.ndarray, reference: np.ndarray, ideal: np.ndarray | None = None) -> float:
    """Volume dominated by `F` and bounded by `reference` (K,); Zitzler and Thiele 1998.

    With `ideal` (K,) it is a share of the box from `ideal` to `reference`; a side of no length counts as 1.
    """
    F = F[(F <= reference).all(axis=1)]  # also drops rows with NaN
    if not len(F):
        return 0.0
    depths = F - reference
    if ideal is not None:
        sides = reference - ideal
        depths = np.where(sides > 0, depths / np.where(sides > 0, sides, 1.0), -1.0)
    return float(HV(ref_point=np.zeros(len(reference)), norm_ref_point=False)(depths))
