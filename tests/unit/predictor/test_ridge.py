"""Ridge against scikit-learn, and leave-one-out against refitting."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from services.predictor import ridge
from services.predictor.ridge import Decomposition

SHAPES = [(30, 5), (30, 20), (12, 20), (3, 9), (25, 25)]


def problem(samples: int, columns: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(samples, columns)) + 3.0
    return X, X @ rng.normal(size=columns) + rng.normal(size=samples)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("strength", [1e-4, 0.1, 30.0])
def test_the_fit_is_scikit_learns(shape: tuple[int, int], strength: float) -> None:
    X, t = problem(*shape)
    intercept, w = Decomposition.of(X).fit(t, strength)
    expected = Ridge(alpha=len(t) * strength).fit(X, t)
    assert np.allclose(w, expected.coef_, rtol=1e-6, atol=1e-8)
    assert np.isclose(intercept, expected.intercept_, rtol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_leave_one_out_is_refitting_without_the_sample(shape: tuple[int, int]) -> None:
    X, t = problem(*shape, seed=1)
    strengths = np.array([1e-3, 0.1, 10.0])
    shortcut = Decomposition.of(X).leave_one_out(t, strengths)
    for row, strength in enumerate(strengths):
        for i in range(len(t)):
            others = np.arange(len(t)) != i
            refit = Ridge(alpha=len(t) * strength).fit(X[others], t[others])
            assert np.isclose(shortcut[row, i], refit.predict(X[i : i + 1])[0], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
def test_leaving_groups_out_is_refitting_without_them(shape: tuple[int, int]) -> None:
    X, t = problem(*shape, seed=4)
    targets = np.stack([t, np.sin(t)])
    strengths = np.array([1e-3, 0.1, 10.0])
    size = len(t) // 3
    groups = np.random.default_rng(0).permutation(len(t))[: 3 * size].reshape(3, size)
    shortcut = Decomposition.of(X).leave_groups_out(targets, strengths, groups)
    for k, target in enumerate(targets):
        for row, strength in enumerate(strengths):
            for g, group in enumerate(groups):
                others = np.setdiff1d(np.arange(len(t)), group)
                refit = Ridge(alpha=len(t) * strength).fit(X[others], target[others])
                expected = refit.predict(X[group])
                assert np.allclose(shortcut[k, row, g], expected, rtol=1e-6, atol=1e-8)


def test_groups_of_one_are_leave_one_out() -> None:
    X, t = problem(12, 20, seed=5)
    strengths = np.logspace(-10, 2, 7)
    decomposition = Decomposition.of(X)
    single = decomposition.leave_groups_out(t[None], strengths, np.arange(12)[:, None])[0, :, :, 0]
    assert np.allclose(single, decomposition.leave_one_out(t, strengths), rtol=1e-6)


def test_many_groups_are_worked_off_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    X, t = problem(24, 6, seed=6)
    groups = np.random.default_rng(1).permutation(24).reshape(8, 3)
    whole = Decomposition.of(X).leave_groups_out(t[None], np.array([0.1]), groups)
    monkeypatch.setattr(ridge, "_MOST_NUMBERS", 3 * 6 * 3)
    assert np.allclose(Decomposition.of(X).leave_groups_out(t[None], np.array([0.1]), groups), whole)


def test_leave_one_out_stays_accurate_where_the_fit_interpolates() -> None:
    X, t = problem(10, 30, seed=2)
    loo = Decomposition.of(X).leave_one_out(t, np.array([1e-10]))[0]
    for i in range(10):
        others = np.arange(10) != i
        X_mean, t_mean = X[others].mean(axis=0), t[others].mean()
        w = np.linalg.pinv(X[others] - X_mean) @ (t[others] - t_mean)
        assert np.isclose(loo[i], t_mean + (X[i] - X_mean) @ w, rtol=1e-4, atol=1e-6)


def test_columns_without_variance_and_copies_of_columns_do_no_harm() -> None:
    X, t = problem(12, 3, seed=3)
    wide = np.concatenate([X, X, np.full((12, 2), 7.0)], axis=1)
    intercept, w = Decomposition.of(wide).fit(t, 1e-12)
    plain = Ridge(alpha=1e-10).fit(X, t)
    assert np.allclose(intercept + wide @ w, plain.predict(X), atol=1e-6)
    assert np.isfinite(Decomposition.of(np.full((5, 4), 2.0)).leave_one_out(t[:5], np.array([1e-10]))).all()
