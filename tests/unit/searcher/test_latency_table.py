"""The latency table on devices whose truth is known."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from services.searcher.calibration import Plan
from services.searcher.latency_table import kendall_tau, swaps, table_of

NUM_OPTIONS = (5, 4, 6)


def device(seed: int, positions: np.ndarray):
    """Latency of blocks as they are alone, and of networks where each position counts `positions` times."""
    blocks = np.random.default_rng(seed).uniform(0.2, 3.0, (3, 6))
    alone = lambda X: 2.0 + blocks[np.arange(3), X].sum(axis=1)  # noqa: E731
    together = lambda X: 1.5 + blocks[np.arange(3), X] @ positions  # noqa: E731
    return alone, together


def uniform(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, NUM_OPTIONS, (count, 3))


def test_an_additive_device_is_reproduced_exactly() -> None:
    alone, _ = device(0, np.ones(3))
    networks = swaps(np.array([1, 0, 5]), NUM_OPTIONS)
    assert len(networks) == 1 + sum(count - 1 for count in NUM_OPTIONS)
    assert len(np.unique(networks, axis=0)) == len(networks)
    table = table_of(networks, alone(networks), NUM_OPTIONS)
    X = uniform(200, 1)
    assert table.latency_ms(X) == pytest.approx(alone(X))
    corrected = table.corrected(X[:20], alone(X[:20]))
    assert corrected.latency_ms(X) == pytest.approx(alone(X))


@pytest.mark.parametrize("seed", range(5))
def test_the_correction_repairs_a_sum_that_is_off(seed: int) -> None:
    alone, together = device(seed, np.array([0.7, 1.2, 0.9]))
    networks = swaps(np.zeros(3, dtype=int), NUM_OPTIONS)
    table = table_of(networks, alone(networks), NUM_OPTIONS)
    seen, unseen = uniform(20, 1), uniform(50, 2)
    noise = 1.0 + 0.01 * np.random.default_rng(3).standard_normal(20)
    corrected = table.corrected(seen, together(seen) * noise)
    error = corrected.error(unseen, together(unseen), num_calibration=20)
    assert error.calibrated_relative_error < 0.02 < error.sum_relative_error
    assert error.kendall_tau > 0.9
    assert (error.num_calibration, error.num_holdout) == (20, 50)


def test_an_option_that_cannot_run_makes_its_networks_unknown() -> None:
    alone, _ = device(0, np.ones(3))
    networks = swaps(np.zeros(3, dtype=int), NUM_OPTIONS)
    measured = alone(networks)
    measured[(networks == [2, 0, 0]).all(axis=1)] = np.nan
    table = table_of(networks, measured, NUM_OPTIONS)
    X = uniform(100, 4)
    table = table.corrected(X, alone(X))
    assert (np.isnan(table.latency_ms(X)) == (X[:, 0] == 2)).all()
    assert np.isnan(table.error(X[:0], np.zeros(0), 0).kendall_tau)


def plan(seed: int = 0, num_options: tuple[int, ...] = NUM_OPTIONS) -> Plan:
    shape = (len(num_options), max(num_options))
    macs = np.random.default_rng(seed).permutation(np.prod(shape)).reshape(shape).astype(float)
    macs[np.arange(shape[1]) >= np.array(num_options)[:, None]] = np.nan
    return Plan.of(macs, num_options, seed)


@pytest.mark.parametrize("num_options", [NUM_OPTIONS, (5, 4, 6, 3, 7), (2, 2), (9,), (3, 1, 2)])
def test_no_network_judges_what_it_was_used_for(num_options: tuple[int, ...]) -> None:
    for seed in range(20):
        made = plan(seed, num_options)
        rows = np.concatenate([made.swapped, made.calibration, made.holdout])
        assert len(np.unique(rows, axis=0)) == len(rows) == made.size
        assert (rows < np.array(num_options)).all()
        if np.prod(num_options) > 100:
            assert len(made.holdout) == 8
            assert len(made.calibration) == max(12, 3 * len(num_options))


def test_networks_of_the_holdout_do_not_correct_the_table() -> None:
    _, together = device(0, np.array([0.7, 1.2, 0.9]))
    made = plan()
    plain, _ = made.table(together, "cpu", np.zeros((0, 3), dtype=np.int64))
    same, error = made.table(together, "cpu", made.holdout)
    assert (same.scales == plain.scales).all()
    assert error.num_calibration == 12
    more = uniform(5, 9)
    assert made.table(together, "cpu", more)[1].num_calibration == 17


def test_a_swap_that_fails_is_tried_in_another_base() -> None:
    alone, _ = device(0, np.ones(3))
    made = plan()
    crashed, hopeless = made.swapped[3], made.swapped[-1]
    block = int((hopeless != made.base).argmax())

    def measure(X: np.ndarray) -> np.ndarray:
        fails = (X == crashed).all(axis=1) | (X[:, block] == hopeless[block])
        return np.where(fails, np.nan, alone(X))

    table, error = made.table(measure, "cpu", np.zeros((0, 3), dtype=np.int64))
    X = uniform(200, 5)
    assert table.latency_ms(X) == pytest.approx(
        np.where(X[:, block] == hopeless[block], np.nan, alone(X)), nan_ok=True
    )
    assert error.calibrated_relative_error < 1e-9


def test_kendall_tau_equals_scipy_without_ties() -> None:
    g = np.random.default_rng(0)
    a, b = g.permutation(30), g.permutation(30)
    assert kendall_tau(a, b) == pytest.approx(kendalltau(a, b).statistic)
