"""Which regression to use: qualities, order, target and strength, by cross-validation inside the samples.

A candidate is (qualities, order, target); its strength is the one with the least leave-one-out squared
error in accuracy (not in target units, so that targets compare). Then the simplest candidate wins, in
the order listed, whose error is within one standard error of the least, the standard error being that of
their difference over the samples [the one-standard-error rule, ESL 7.10]. Measured on synthetic truths with
12 to 30 noisy samples, that rule predicts better than taking the least error.

That error is optimistic, having chosen the minimum. The honest predictions are nested: the samples fall
into folds, the selection is redone without a fold, and each sample of the fold is predicted by that
choice, refitted on all samples but this one. No accuracy takes part in its own prediction. With at most
MAX_FOLDS samples every fold is one sample.

Shapes: S samples, D inputs, L strengths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from services.predictor.features import Order, design_matrix
from services.predictor.ridge import Decomposition
from services.predictor.target import Target, forward, inverse

STRENGTHS = tuple(float(f"{strength:.3e}") for strength in np.logspace(-10, 2, 37))
MAX_FOLDS = 64
_ROUNDING = 1e-16


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A form of the regression; its strength is found by leave-one-out."""

    qualities: tuple[str, ...]
    order: Order
    target: Target


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A candidate with its best strength and its leave-one-out mean squared error in accuracy."""

    candidate: Candidate
    strength: float
    mse: float


@dataclass(frozen=True, kw_only=True)
class Problem:
    """The samples: standardised inputs (S, D) for every set of qualities, and accuracies (S,)."""

    inputs: Mapping[tuple[str, ...], np.ndarray]
    accuracy_S: np.ndarray

    def without(self, rows: np.ndarray) -> Problem:
        """The problem on the other samples."""
        kept = np.setdiff1d(np.arange(len(self.accuracy_S)), rows)
        return Problem(inputs={k: v[kept] for k, v in self.inputs.items()}, accuracy_S=self.accuracy_S[kept])

    @cached_property
    def _decompositions(self) -> dict[tuple[tuple[str, ...], Order], Decomposition]:
        return {}

    def decomposition(self, candidate: Candidate) -> Decomposition:
        """The decomposed design of a candidate, made once."""
        key = (candidate.qualities, candidate.order)
        if key not in self._decompositions:
            X_SP = design_matrix(self.inputs[candidate.qualities], candidate.order)
            self._decompositions[key] = Decomposition.of(X_SP)
        return self._decompositions[key]

    def leave_one_out(self, candidate: Candidate, strengths: Sequence[float]) -> np.ndarray:
        """(L, S) leave-one-out accuracies."""
        t_S = forward(candidate.target, self.accuracy_S)
        loo_LS = self.decomposition(candidate).leave_one_out(t_S, np.asarray(strengths))
        return inverse(candidate.target, loo_LS)


def select(
    problem: Problem, candidates: Sequence[Candidate], strengths: Sequence[float] = STRENGTHS
) -> tuple[Choice, tuple[Choice, ...]]:
    """(the choice, every candidate at its best strength). Candidates are listed from simple to complex."""
    choices, error_CS = [], []
    for candidate in candidates:
        error_LS = (problem.leave_one_out(candidate, strengths) - problem.accuracy_S) ** 2
        mse_L = error_LS.mean(axis=1)
        best = int(np.argmin(mse_L))
        choices.append(Choice(candidate=candidate, strength=strengths[best], mse=float(mse_L[best])))
        error_CS.append(error_LS[best])
    least_S = min(error_CS, key=lambda error_S: error_S.mean())
    as_good = (c for c, error_S in zip(choices, error_CS, strict=True) if _as_good(error_S - least_S))
    return next(as_good), tuple(choices)


def _as_good(worse_S: np.ndarray) -> bool:
    """Whether a mean difference of squared errors is within its standard error, or within rounding."""
    return bool(worse_S.mean() <= worse_S.std() / np.sqrt(len(worse_S)) + _ROUNDING)


def nested_leave_one_out(
    problem: Problem,
    candidates: Sequence[Candidate],
    strengths: Sequence[float] = STRENGTHS,
    *,
    seed: int = 0,
) -> np.ndarray:
    """(S,) accuracies, each predicted by a selection and a fit that never saw it; `seed` deals the folds."""
    S = len(problem.accuracy_S)
    predicted_S = np.empty(S)
    for rows in np.array_split(np.random.default_rng(seed).permutation(S), min(S, MAX_FOLDS)):
        choice, _ = select(problem.without(rows), candidates, strengths)
        predicted_S[rows] = problem.leave_one_out(choice.candidate, [choice.strength])[0, rows]
    return predicted_S
