"""Cross-validation: it finds what is there, it is nested, and it leaks nothing."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from donna.space.target import TARGETS, forward, inverse
from services.predictor import selection
from services.predictor.features import design_matrix
from services.predictor.selection import Candidate, Problem, groups, nested_leave_one_out, select

NSR = ("nsr",)
CANDIDATES = [Candidate(qualities=NSR, order=o, target=t) for o in (1, 2) for t in TARGETS]
STRENGTHS = tuple(np.logspace(-6, 1, 8).tolist())


def problem(samples: int, seed: int, noise: float = 0.005) -> Problem:
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(samples, 4))
    accuracy = 0.8 + Z @ [0.03, -0.02, 0.01, 0.02] + 0.01 * Z[:, 0] * Z[:, 1] + rng.normal(0, noise, samples)
    return Problem(inputs={NSR: Z}, accuracy_S=accuracy)


def refit(p: Problem, candidate: Candidate, strength: float, rows: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Accuracies predicted by scikit-learn, fitted on `rows`; the penalty is that of all samples."""
    X = design_matrix(p.inputs[candidate.qualities], candidate.order)
    model = Ridge(alpha=len(X) * strength).fit(X[rows], forward(candidate.target, p.accuracy_S[rows]))
    return inverse(candidate.target, model.predict(X[at]))


def test_the_error_of_a_candidate_is_that_of_refitting() -> None:
    p = problem(15, seed=0)
    _, compared = select(p, CANDIDATES, STRENGTHS)
    for choice in compared:
        by_strength = []
        for strength in STRENGTHS:
            errors = [
                (
                    refit(p, choice.candidate, strength, np.setdiff1d(np.arange(15), group), group)
                    - p.accuracy_S[group]
                )
                ** 2
                for of_one_size in groups(15)
                for group in of_one_size
            ]
            by_strength.append(np.concatenate(errors).mean())
        assert choice.strength == STRENGTHS[int(np.argmin(by_strength))]
        assert np.isclose(choice.mse, min(by_strength), rtol=1e-6)


@pytest.mark.parametrize("samples", [3, 4, 7, 30, 61, 500])
def test_every_sample_is_left_out_equally_often_in_small_groups(samples: int) -> None:
    dealt = [group for of_one_size in groups(samples) for group in of_one_size]
    times = np.bincount(np.concatenate(dealt), minlength=samples)
    assert (times == (3 if samples <= 60 else 1)).all()
    assert max(map(len, dealt)) <= min(12, -(-samples // 5))
    assert all(len(set(group.tolist())) == len(group) for group in dealt)


def test_fits_that_nearly_interpolate_are_not_chosen() -> None:
    """About as many samples as second-order columns: one at a time, such fits pass by chance."""
    errors = []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        Z, unseen = rng.gamma(2, 1, size=(16, 4)) - 2, rng.gamma(2, 1, size=(400, 4)) - 2
        weights = rng.uniform(0.01, 0.05, 4)
        p = Problem(inputs={NSR: Z}, accuracy_S=0.8 - Z @ weights + rng.normal(0, 0.005, 16))
        candidate, strength = (choice := select(p, CANDIDATES)[0]).candidate, choice.strength
        intercept, w = p.decomposition(candidate.form).fit(forward(candidate.target, p.accuracy_S), strength)
        predicted = inverse(candidate.target, intercept + design_matrix(unseen, candidate.order) @ w)
        errors.append(np.sqrt(np.mean((predicted - (0.8 - unseen @ weights)) ** 2)))
    assert max(errors) < 0.02


def test_nested_predictions_are_those_of_selecting_and_refitting_without_the_sample() -> None:
    p = problem(14, seed=1)
    nested = nested_leave_one_out(p, CANDIDATES, STRENGTHS)
    for i in range(14):
        others = np.delete(np.arange(14), i)
        choice, _ = select(p.without(np.array([i])), CANDIDATES, STRENGTHS)
        expected = refit(p, choice.candidate, choice.strength, others, np.array([i]))[0]
        assert np.isclose(nested[i], expected, rtol=1e-6)


@pytest.mark.parametrize("samples", [12, selection.MAX_FOLDS + 20])
def test_no_accuracy_takes_part_in_its_own_prediction(samples: int) -> None:
    p = problem(samples, seed=2)
    before = nested_leave_one_out(p, CANDIDATES, STRENGTHS)
    for i in (0, 5, samples - 1):
        changed = p.accuracy_S.copy()
        changed[i] = 0.05
        after = nested_leave_one_out(Problem(inputs=p.inputs, accuracy_S=changed), CANDIDATES, STRENGTHS)
        assert np.isclose(after[i], before[i], rtol=1e-9)
        assert not np.allclose(after, before)


def test_the_order_of_the_truth_is_found() -> None:
    rng = np.random.default_rng(3)
    Z = rng.normal(size=(60, 3))
    noise = rng.normal(0, 0.002, 60)
    flat = Problem(inputs={NSR: Z}, accuracy_S=0.7 + 0.05 * Z[:, 0] + noise)
    assert select(flat, CANDIDATES)[0].candidate.order == 1
    curved = Problem(inputs={NSR: Z}, accuracy_S=0.7 + 0.05 * Z[:, 0] * Z[:, 1] - 0.02 * Z[:, 2] ** 2 + noise)
    assert select(curved, CANDIDATES)[0].candidate.order == 2


def test_the_target_of_the_truth_is_found() -> None:
    rng = np.random.default_rng(4)
    Z = rng.normal(size=(60, 3))
    log_error = -2.5 + Z @ [0.5, 0.4, 0.3] + rng.normal(0, 0.02, 60)
    logarithmic = Problem(inputs={NSR: Z}, accuracy_S=1 - np.exp(log_error).clip(0, 0.9))
    assert select(logarithmic, CANDIDATES)[0].candidate.target == "negative_log_error"
    plain = Problem(inputs={NSR: Z}, accuracy_S=0.8 + Z @ [0.04, 0.03, 0.02] + rng.normal(0, 0.002, 60))
    assert select(plain, CANDIDATES)[0].candidate.target == "accuracy"


def test_the_quality_that_explains_more_is_found() -> None:
    rng = np.random.default_rng(5)
    nsr, kl = rng.normal(size=(40, 3)), rng.normal(size=(40, 3))
    sets = {NSR: nsr, ("kl",): kl, ("nsr", "kl"): np.c_[nsr, kl]}
    candidates = [Candidate(qualities=names, order=1, target="accuracy") for names in sets]
    for truth, expected in ((kl, ("kl",)), (nsr, NSR), (nsr + kl, ("nsr", "kl"))):
        accuracy = 0.8 + truth @ [0.03, 0.02, 0.04] + rng.normal(0, 0.002, 40)
        choice, _ = select(Problem(inputs=sets, accuracy_S=accuracy), candidates)
        assert choice.candidate.qualities == expected


def test_equal_errors_leave_the_simplest() -> None:
    p = Problem(inputs={NSR: np.random.default_rng(6).normal(size=(10, 3))}, accuracy_S=np.full(10, 0.5))
    assert select(p, CANDIDATES)[0].candidate == CANDIDATES[0]
