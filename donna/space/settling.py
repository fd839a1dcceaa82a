"""Whether blocks were trained for long enough to be ranked: do the last points of the training agree on the order?

Qualities keep improving for as long as one trains; what predictor and search live on is their order.
"""

from __future__ import annotations

import numpy as np

from donna.space.library import Block

SETTLED = 0.9
"""The least rank correlation of a block's qualities at the last two points that counts as settled."""


def rank_correlation(block: Block) -> float | None:
    """Spearman's rank correlation, in [-1, 1], of the options' qualities at the last two measured points.

    None when fewer than three options have two points, and when all of them are equally good.
    """
    pairs = [(entry.curve[-2][1], entry.curve[-1][1]) for entry in block.entries if len(entry.curve) > 1]
    if len(pairs) < 3:
        return None
    before, after = (_ranks(np.array(values)) for values in zip(*pairs, strict=True))
    if not before.std() or not after.std():
        return None
    return float(np.corrcoef(before, after)[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 0; equal values share the mean of theirs."""
    _, group, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts + 1) / 2)[group]
