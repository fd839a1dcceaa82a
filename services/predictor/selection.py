"""Which regression to use: qualities, order, target and strength, by cross-validation inside the samples.

A candidate is (qualities, order, target); its strength is the one with the least cross-validated squared
error in accuracy (not in target units, so that targets compare). Then the simplest candidate wins, in
the order listed, whose error is within one standard error of the least, the standard error being that of
their difference over the samples [the one-standard-error rule, ESL 7.10].

A fifth of the samples is left out at a time (in groups of at most 12), and that three times over with
few samples. Leaving out one at a time is not enough to choose by: with about as many samples as
coefficients nearly interpolating fits pass it by chance. On synthetic truths with 12 to 30 noisy samples
the largest error over 20 draws fell from 0.17 to 0.007 by leaving out a fifth, the median not at all.

That error is optimistic, having chosen the minimum. The honest predictions are nested: the samples fall
into folds, the selection is redone without a fold, and each sample of the fold is predicted by that
choice, refitted on all samples but this one. No accuracy takes part in its own prediction. With at most
MAX_FOLDS samples every fold is one sample.

Shapes: S samples, D inputs, L strengths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from donna.space.target import Target, forward, inverse
from services.predictor.features import Order, design_matrix
from services.predictor.ridge import Decomposition

STRENGTHS = tuple(float(f"{strength:.3e}") for strength in np.logspace(-10, 2, 25))
MAX_FOLDS = 64
_GROUPS, _MOST_IN_GROUP = 5, 12
_REPEATS, _FEW_SAMPLES = 3, 60
_ROUNDING = 1e-16


Form = tuple[tuple[str, ...], Order]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A form of the regression; its strength is found by cross-validation."""

    qualities: tuple[str, ...]
    order: Order
    target: Target

    @property
    def form(self) -> Form:
        """What its design depends on."""
        return self.qualities, self.order


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A candidate with its best strength and its cross-validated mean squared error in accuracy."""

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
    def _decompositions(self) -> dict[Form, Decomposition]:
        return {}

    def decomposition(self, form: Form) -> Decomposition:
        """The decomposed design, made once for each form."""
        if form not in self._decompositions:
            qualities, order = form
            self._decompositions[form] = Decomposition.of(design_matrix(self.inputs[qualities], order))
        return self._decompositions[form]

    def leave_one_out(self, candidate: Candidate, strengths: Sequence[float]) -> np.ndarray:
        """(L, S) leave-one-out accuracies."""
        t_S = forward(candidate.target, self.accuracy_S)
        loo_LS = self.decomposition(candidate.form).leave_one_out(t_S, np.asarray(strengths))
        return inverse(candidate.target, loo_LS)

    def squared_errors(
        self, form: Form, targets: Sequence[Target], strengths: Sequence[float]
    ) -> dict[Target, np.ndarray]:
        """(L, S) squared errors in accuracy for each target, every sample left out with its group; means
        over the repeats."""
        S = len(self.accuracy_S)
        T_TS = np.stack([forward(target, self.accuracy_S) for target in targets])
        errors = {target: np.zeros((len(strengths), S)) for target in targets}
        for rows_Gm in groups(S):
            predicted = self.decomposition(form).leave_groups_out(T_TS, np.asarray(strengths), rows_Gm)
            times_KS = np.eye(S)[rows_Gm.ravel()]  # groups of one size may hold a sample more than once
            for target, value_LGm in zip(targets, predicted, strict=True):
                error_LGm = (inverse(target, value_LGm) - self.accuracy_S[rows_Gm]) ** 2
                errors[target] += error_LGm.reshape(len(strengths), -1) @ times_KS / repeats(S)
        return errors


def repeats(num_samples: int) -> int:
    """How often each sample is left out with a group."""
    return _REPEATS if num_samples <= _FEW_SAMPLES else 1


@lru_cache(maxsize=256)
def groups(num_samples: int) -> tuple[np.ndarray, ...]:
    """The rows that are left out together, (G, m) for each size m; a function of the number of samples."""
    count = min(num_samples, max(_GROUPS, -(-num_samples // _MOST_IN_GROUP)))
    rng = np.random.default_rng(0)
    dealt = [
        group
        for _ in range(repeats(num_samples))
        for group in np.array_split(rng.permutation(num_samples), count)
    ]
    sizes = sorted({len(group) for group in dealt})
    return tuple(np.stack([group for group in dealt if len(group) == size]) for size in sizes)


def select(
    problem: Problem, candidates: Sequence[Candidate], strengths: Sequence[float] = STRENGTHS
) -> tuple[Choice, tuple[Choice, ...]]:
    """(the choice, every candidate at its best strength). Candidates are listed from simple to complex."""
    targets: dict[Form, list[Target]] = {}
    for candidate in candidates:
        targets.setdefault(candidate.form, []).append(candidate.target)
    errors = {form: problem.squared_errors(form, those, strengths) for form, those in targets.items()}
    choices, error_CS = [], []
    for candidate in candidates:
        error_LS = errors[candidate.form][candidate.target]
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
    step: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """(S,) accuracies, each predicted by a selection and a fit that never saw it; `seed` deals the folds. `step` is
    called before each of min(S, MAX_FOLDS) folds, and may raise to stop it."""
    S = len(problem.accuracy_S)
    predicted_S = np.empty(S)
    for rows in np.array_split(np.random.default_rng(seed).permutation(S), min(S, MAX_FOLDS)):
        step()
        choice, _ = select(problem.without(rows), candidates, strengths)
        predicted_S[rows] = problem.leave_one_out(choice.candidate, [choice.strength])[0, rows]
    return predicted_S
