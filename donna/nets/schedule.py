"""The learning rate over a run: linear warm-up, then half a cosine down to zero."""

from __future__ import annotations

import math


def factor(step: int, steps: int, warmup_fraction: float) -> float:
    """The share of the peak learning rate for step 0..steps-1, in (0, 1].

    Over the first w = round(warmup_fraction * steps) steps it is (step + 1) / (w + 1); after them
    (1 + cos(pi * (step - w) / (steps - w))) / 2. Source: Loshchilov and Hutter, SGDR, ICLR 2017, without
    restarts; the warm-up of Goyal et al. 2017.
    """
    warmup = round(warmup_fraction * steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup))) / 2
