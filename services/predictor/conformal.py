"""Intervals from leave-one-out residuals: the jackknife with the finite-sample quantile.

The score of sample i is |t_i - t_loo_i|, in units of the target, where t_loo_i comes from a fit and a
selection that never saw i. An interval of level 1 - a is the prediction +- the k-th smallest score,
k = ceil((1 - a)(S + 1)), as in split conformal prediction; with k > S it is unbounded, that is [0, 1] in
accuracy. Half the width is one number for the whole space, so a million intervals cost nothing. The
jackknife+ of Barber et al. (2021), which spends S fits on every prediction, has the distribution-free
guarantee (1 - 2a); this has it for stable fits, which ridge is. The tests measure the coverage.
[intervals: our choice]
"""

from __future__ import annotations

import math

import numpy as np


def half_width(scores_S: np.ndarray, level: float) -> float:
    """Half the interval's width in target units for a level in (0, 1); infinite with too few samples."""
    S = len(scores_S)
    k = math.ceil(round(level * (S + 1), 9))
    return math.inf if k > S else float(np.sort(scores_S)[max(k, 1) - 1])


def coverage(observed_S: np.ndarray, low_S: np.ndarray, high_S: np.ndarray) -> float:
    """The share of observations inside their intervals, ends included."""
    return float(np.mean((low_S <= observed_S) & (observed_S <= high_S)))
