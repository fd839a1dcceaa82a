"""From standardised qualities to the regression's columns, of first or second order.

With z_d the D standardised inputs of an architecture (its N blocks' qualities, for each quality used):

    first order     z_1 .. z_D                                                    P = D
    second order    the same, (z_d^2 - 1) / sqrt 2, and z_d z_e for d < e         P = D (D + 3) / 2

The intercept is the regression's own. Under uniform sampling of architectures every z has mean 0 and
variance 1 and different blocks are independent, so products have mean 0 and variance 1 as well; the
squares are Hermite's, exactly so when qualities are normal. Hence one ridge strength weighs all columns
alike. [columns: the method; scaling: our choice]

Shapes: A architectures, N blocks, D inputs, P columns.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np

Order = Literal[1, 2]
ROOT2 = float(np.sqrt(2.0))


def num_columns(num_inputs: int, order: Order) -> int:
    """P, the intercept not counted."""
    return num_inputs if order == 1 else num_inputs * (num_inputs + 3) // 2


def design_matrix(Z_AD: np.ndarray, order: Order) -> np.ndarray:
    """(A, P) columns of (A, D) standardised inputs."""
    if order == 1:
        return Z_AD
    d, e = _pairs(Z_AD.shape[1])
    return np.concatenate([Z_AD, (Z_AD**2 - 1.0) / ROOT2, Z_AD[:, d] * Z_AD[:, e]], axis=1)


def quadratic_form(
    intercept: float, w_P: np.ndarray, num_inputs: int, order: Order
) -> tuple[float, np.ndarray, np.ndarray]:
    """The same function as c + l'z + z'B z: (c, l (D,), B (D, D) symmetric)."""
    D = num_inputs
    if order == 1:
        return intercept, w_P, np.zeros((D, D))
    squares_D = w_P[D : 2 * D] / ROOT2
    B_DD = np.diag(squares_D)
    d, e = _pairs(D)
    B_DD[d, e] = B_DD[e, d] = w_P[2 * D :] / 2
    return intercept - float(squares_D.sum()), w_P[:D], B_DD


def column_names(inputs: list[str], order: Order) -> list[str]:
    """A name for every column, e.g. `nsr(block1)`, `nsr(block1)^2`, `nsr(block1)*nsr(block2)`."""
    if order == 1:
        return list(inputs)
    pairs = zip(*_pairs(len(inputs)), strict=True)
    return [*inputs, *(f"{name}^2" for name in inputs), *(f"{inputs[d]}*{inputs[e]}" for d, e in pairs)]


@lru_cache(maxsize=64)
def _pairs(num_inputs: int) -> tuple[np.ndarray, np.ndarray]:
    """All d < e, in the order of the product columns."""
    d, e = np.triu_indices(num_inputs, k=1)
    d.flags.writeable = e.flags.writeable = False
    return d, e
