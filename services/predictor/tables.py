"""A linear model on one library as the tables that predict in bulk; see donna.space.accuracy_tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from donna.space import Library
from donna.space.accuracy_tables import AccuracyTables
from donna.space.target import Target
from services.predictor.features import Order, quadratic_form
from services.predictor.quality import Scale, standardised_table, unseen_table


def tables_of(
    library: Library,
    scales: Sequence[Scale],
    order: Order,
    *,
    intercept: float,
    w_P: np.ndarray,
    target: Target,
    half_width: float,
) -> AccuracyTables:
    """The tables of K qualities; raises FailedPrecondition when an entry lacks one of them.

    The model's inputs come quality by quality, those of the tables block by block.
    """
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
    return AccuracyTables(
        constant=constant,
        unary=tuple(unary),
        inputs=tuple(z) if order == 2 else (),
        cross_DD=2 * B_DD,
        unseen=tuple(unseen_table(library, scales, n) for n in range(N)),
        target=target,
        half_width=half_width,
    )
