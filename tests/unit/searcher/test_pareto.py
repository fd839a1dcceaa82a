"""Fronts and hypervolumes against brute force."""

import itertools

import numpy as np
import pytest

from services.searcher.growing import Growing
from services.searcher.pareto import hypervolume, non_dominated


def brute_front(F: np.ndarray) -> list[int]:
    return [i for i, a in enumerate(F) if not any((b <= a).all() and (b < a).any() for b in F)]


@pytest.mark.parametrize("K", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(5))
def test_front_equals_brute_force_with_ties(K: int, seed: int) -> None:
    F = np.random.default_rng(seed).integers(0, 6, (60, K)).astype(float)
    assert non_dominated(F).tolist() == brute_front(F)


def test_growing_keeps_rows_and_earlier_views() -> None:
    growing, everything, views = Growing(), np.arange(60).reshape(20, 3), []
    for start, stop in ((0, 1), (1, 1), (1, 8), (8, 20)):
        growing.append(everything[start:stop])
        views.append(growing.rows)
    growing.replace(-everything)
    assert (growing.rows == -everything).all()
    assert [view.tolist() for view in views] == [everything[:size].tolist() for size in (1, 1, 8, 20)]


def test_infeasible_and_unknown_rows_are_left_out() -> None:
    F = np.array([[0.0, 0.0], [1.0, 1.0], [np.nan, 0.0], [2.0, 0.5]])
    G = np.array([[0.1], [0.0], [0.0], [-1.0]])
    assert non_dominated(F, G).tolist() == [1, 3]
    assert non_dominated(np.zeros((0, 2))).tolist() == []


@pytest.mark.parametrize("K", [1, 2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_hypervolume_equals_counting_cells(K: int, seed: int) -> None:
    F = np.random.default_rng(seed).integers(0, 9, (12, K)).astype(float)
    reference = np.full(K, 7.0)
    cells = [c for c in itertools.product(range(7), repeat=K) if (F <= np.array(c)).all(axis=1).any()]
    assert hypervolume(F, reference) == pytest.approx(len(cells))
    assert hypervolume(F, reference, np.zeros(K)) == pytest.approx(len(cells) / 7.0**K)


def test_hypervolume_of_nothing_and_of_a_flat_axis() -> None:
    assert hypervolume(np.array([[2.0, 2.0]]), np.array([1.0, 1.0])) == 0.0
    assert hypervolume(np.array([[0.5, 3.0]]), np.array([1.0, 3.0]), np.array([0.0, 3.0])) == pytest.approx(
        0.5
    )
