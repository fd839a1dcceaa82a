"""Kendall tau against the number of samples: is it worth finetuning more?

For each size, several random subsets are fitted, selection included, and judged on the samples left
over; the last size leaves at least a quarter of the samples over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from donna.space.target import forward, inverse
from services.predictor.features import design_matrix
from services.predictor.metrics import kendall_tau
from services.predictor.selection import STRENGTHS, Candidate, Problem, select

SUBSETS = 16
MAX_POINTS = 6
_SMALLEST = 4


@dataclass(frozen=True, kw_only=True)
class Point:
    """Mean and standard deviation of tau over the subsets of one size for which it is defined."""

    num_samples: int
    kendall_tau_mean: float
    kendall_tau_std: float


def sizes(num_samples: int) -> list[int]:
    """Up to MAX_POINTS sizes from 4 to three quarters of the samples, evenly apart in logarithm."""
    largest = num_samples * 3 // 4
    if largest < _SMALLEST:
        return []
    return sorted({round(size) for size in np.geomspace(_SMALLEST, largest, MAX_POINTS)})


def learning_curve(
    problem: Problem,
    candidates: Sequence[Candidate],
    strengths: Sequence[float] = STRENGTHS,
    *,
    seed: int,
    subsets: int = SUBSETS,
) -> Iterator[Point]:
    """The points one by one, smallest first; a size where tau is nowhere defined has none."""
    S = len(problem.accuracy_S)
    rng = np.random.default_rng(seed)
    for size in sizes(S):
        taus = [_tau(problem, rng.permutation(S)[:size], candidates, strengths) for _ in range(subsets)]
        defined = np.array(taus)[np.isfinite(taus)]
        if len(defined):
            yield Point(
                num_samples=size,
                kendall_tau_mean=float(defined.mean()),
                kendall_tau_std=float(defined.std()),
            )


def _tau(
    problem: Problem, rows: np.ndarray, candidates: Sequence[Candidate], strengths: Sequence[float]
) -> float:
    others = np.setdiff1d(np.arange(len(problem.accuracy_S)), rows)
    part = problem.without(others)
    choice, _ = select(part, candidates, strengths)
    candidate = choice.candidate
    t_S = forward(candidate.target, part.accuracy_S)
    intercept, w_P = part.decomposition(candidate.form).fit(t_S, choice.strength)
    X_OP = design_matrix(problem.inputs[candidate.qualities][others], candidate.order)
    predicted = inverse(candidate.target, intercept + X_OP @ w_P)
    return float(kendall_tau(problem.accuracy_S[others], predicted, np.ones((1, len(others))))[0])
