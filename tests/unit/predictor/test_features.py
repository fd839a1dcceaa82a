"""The design matrix against scikit-learn's polynomials, and its quadratic form against itself."""

import numpy as np
import pytest
from sklearn.preprocessing import PolynomialFeatures

from services.predictor.features import Order, column_names, design_matrix, num_columns, quadratic_form


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("inputs", [1, 2, 5])
def test_columns_span_all_monomials_of_the_order(order: Order, inputs: int) -> None:
    Z = np.random.default_rng(0).normal(size=(60, inputs))
    X = np.c_[np.ones(60), design_matrix(Z, order)]
    monomials = PolynomialFeatures(degree=order).fit_transform(Z)
    assert X.shape == monomials.shape
    assert np.linalg.matrix_rank(np.c_[X, monomials]) == monomials.shape[1]


def test_second_order_of_five_blocks_has_21_coefficients() -> None:
    assert num_columns(5, 2) + 1 == 21
    assert len(column_names(list("abcde"), 2)) == 20


@pytest.mark.parametrize("order", [1, 2])
def test_the_quadratic_form_is_the_same_function(order: Order) -> None:
    rng = np.random.default_rng(1)
    Z, w = rng.normal(size=(40, 4)), rng.normal(size=num_columns(4, order))
    c, linear, B = quadratic_form(0.3, w, 4, order)
    expected = 0.3 + design_matrix(Z, order) @ w
    assert np.allclose(B, B.T)
    assert np.allclose(c + Z @ linear + np.einsum("ad,de,ae->a", Z, B, Z), expected)


def test_columns_of_normal_inputs_have_mean_0_and_variance_1() -> None:
    X = design_matrix(np.random.default_rng(2).normal(size=(200_000, 3)), 2)
    assert np.abs(X.mean(axis=0)).max() < 0.02
    assert np.abs(X.var(axis=0) - 1).max() < 0.03


def test_names_say_what_columns_are() -> None:
    names = column_names(["a", "b"], 2)
    assert names == ["a", "b", "a^2", "b^2", "a*b"]
