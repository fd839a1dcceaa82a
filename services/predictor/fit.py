"""The whole fit: samples of known accuracy in, a model and what is known about it out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from donna.errors import FailedPrecondition
from donna.space import Library
from donna.space.target import TARGETS, Target, forward, inverse
from services.predictor.conformal import coverage, half_width
from services.predictor.features import Order, num_columns
from services.predictor.learning_curve import MAX_POINTS, SUBSETS, Point, learning_curve
from services.predictor.metrics import Metrics, evaluate
from services.predictor.model import Model
from services.predictor.quality import Scale, inputs, quality_names
from services.predictor.selection import (
    MAX_FOLDS,
    STRENGTHS,
    Candidate,
    Choice,
    Problem,
    nested_leave_one_out,
    select,
)

MAX_COLUMNS = 2500
"""Candidates with more are left out: their decompositions would take minutes and gigabytes."""


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """What is not left to cross-validation, the seed of folds and resamples, the level of intervals."""

    order: Order | None = None
    target: Target | None = None
    strengths: tuple[float, ...] = STRENGTHS
    qualities: tuple[str, ...] = ()
    seed: int = 0
    coverage: float = 0.9


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A model, the candidates it was chosen from, and its leave-one-out predictions.

    `low` and `high` are the ends of the interval that each sample would have got from the scores of the
    others; `covered` is the share of samples inside.
    """

    model: Model
    candidates: tuple[Choice, ...]
    predicted_S: np.ndarray
    low_S: np.ndarray
    high_S: np.ndarray
    covered: float
    metrics: Metrics
    learning_curve: tuple[Point, ...]


def fit(
    library: Library,
    choices_SN: np.ndarray,
    accuracy_S: np.ndarray,
    options: FitOptions,
    step: Callable[[str], None] = lambda _: None,
    *,
    learning_curve_subsets: int = SUBSETS,
) -> Fit:
    """Fits S >= 3 distinct architectures of known accuracy; equal arguments give an equal result.

    `step` is called before each of `num_steps` pieces of the work at most, with the name of what it belongs to, and may
    raise to stop it. Without subsets there is no learning curve, which is most of the time that a fit takes.
    Raises FailedPrecondition for a quality that the library does not have, or for too many columns.
    """
    step("choosing the regression")
    sets = quality_sets(library, options.qualities)
    scales = {name: Scale.of(library, name, choices_SN) for names in sets for name in names}
    problem = Problem(
        inputs={names: inputs(library, [scales[name] for name in names], choices_SN) for names in sets},
        accuracy_S=accuracy_S,
    )
    orders: tuple[Order, ...] = (options.order,) if options.order else (1, 2)
    targets = (options.target,) if options.target else TARGETS
    candidates = [
        Candidate(qualities=names, order=order, target=target)
        for order in orders
        for names in sets
        for target in targets
        if num_columns(len(library.blocks) * len(names), order) <= MAX_COLUMNS
    ]
    if not candidates:
        raise FailedPrecondition(
            f"a regression of that order on {len(library.blocks)} blocks has more than {MAX_COLUMNS} columns",
            reason="TOO_MANY_COLUMNS",
        )
    choice, compared = select(problem, candidates, options.strengths)
    predicted_S = nested_leave_one_out(
        problem, candidates, options.strengths, seed=options.seed, step=lambda: step("leaving one out")
    )
    step("learning curve")
    curve = []
    for point in learning_curve(
        problem, candidates, options.strengths, seed=options.seed, subsets=learning_curve_subsets
    ):
        curve.append(point)
        step(f"learning curve, {point.num_samples} samples")

    chosen = choice.candidate
    t_S = forward(chosen.target, accuracy_S)
    t_loo_S = forward(chosen.target, predicted_S)
    score_S = np.abs(t_S - t_loo_S)
    intercept, w_P = problem.decomposition(chosen.form).fit(t_S, choice.strength)
    model = Model(
        lineage=library.lineage,
        library=library.digest,
        blocks=tuple(block.name for block in library.blocks),
        scales=tuple(scales[name] for name in chosen.qualities),
        order=chosen.order,
        target=chosen.target,
        strength=choice.strength,
        intercept=intercept,
        coefficients=tuple(w_P.tolist()),
        scores=tuple(np.sort(score_S).tolist()),
        coverage=options.coverage,
    )
    half_S = np.array([half_width(np.delete(score_S, i), options.coverage) for i in range(len(score_S))])
    low_S, high_S = inverse(chosen.target, t_loo_S - half_S), inverse(chosen.target, t_loo_S + half_S)
    return Fit(
        model=model,
        candidates=compared,
        predicted_S=predicted_S,
        low_S=low_S,
        high_S=high_S,
        covered=coverage(accuracy_S, low_S, high_S),
        metrics=evaluate(accuracy_S, predicted_S, seed=options.seed),
        learning_curve=tuple(curve),
    )


def num_steps(num_samples: int) -> int:
    """How often a fit calls `step` at most."""
    return 2 + min(num_samples, MAX_FOLDS) + MAX_POINTS


def quality_sets(library: Library, wanted: Sequence[str]) -> list[tuple[str, ...]]:
    """The sets of qualities to choose from: the wanted one; else each alone, then all together."""
    available = quality_names(library)
    for name in wanted:
        if name not in available:
            raise FailedPrecondition(
                f"the library has no quality {name!r} for every entry; it has {', '.join(available)}",
                reason="QUALITY_MISSING",
            )
    if wanted:
        return [tuple(wanted)]
    alone: list[tuple[str, ...]] = [(name,) for name in available]
    return alone if len(available) == 1 else [*alone, available]
