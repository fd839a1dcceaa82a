"""The whole fit on known ground truth."""

import numpy as np
import pytest

from donna.errors import Cancelled, FailedPrecondition
from services.predictor.fit import FitOptions, fit, num_steps, quality_sets
from tests.unit.predictor import spaces

LIBRARY = spaces.library(spaces.random_tables(5, 24, seed=1))


def quadratic(choices: np.ndarray) -> np.ndarray:
    q = LIBRARY.qualities(choices)
    B = 0.03 * np.random.default_rng(0).normal(size=(5, 5))
    return 0.95 - q @ [0.06, 0.1, 0.03, 0.08, 0.05] - np.einsum("an,nm,am->a", q, B, q)


def test_a_quadratic_truth_is_recovered_exactly() -> None:
    choices = spaces.draw(LIBRARY.num_options, 40, seed=2)
    found = fit(LIBRARY, choices, quadratic(choices), FitOptions(), learning_curve_subsets=0)
    assert (found.model.order, found.model.target) == (2, "accuracy")
    unseen = spaces.draw(LIBRARY.num_options, 500, seed=3)
    predicted = found.model.bind(LIBRARY).predict(unseen)
    assert np.abs(predicted.accuracy - quadratic(unseen)).max() < 1e-6
    assert (predicted.high - predicted.low).max() < 1e-6
    assert found.metrics.kendall_tau.value > 0.9999


def test_a_linear_truth_is_recovered_from_fewer_samples_than_second_order_coefficients() -> None:
    choices = spaces.draw(LIBRARY.num_options, 10, seed=4)
    weights = np.array([0.06, 0.1, 0.03, 0.08, 0.05])
    found = fit(LIBRARY, choices, 0.95 - LIBRARY.qualities(choices) @ weights, FitOptions())
    unseen = spaces.draw(LIBRARY.num_options, 500, seed=5)
    predicted = found.model.bind(LIBRARY).accuracies(unseen)
    assert np.abs(predicted - (0.95 - LIBRARY.qualities(unseen) @ weights)).max() < 1e-6


@pytest.mark.parametrize("order", [None, 1, 2])
@pytest.mark.parametrize("target", [None, "accuracy", "negative_log_error"])
@pytest.mark.parametrize("samples", [3, 4, 7])
def test_few_samples_give_finite_predictions_inside_0_and_1(samples: int, order, target) -> None:
    rng = np.random.default_rng(samples)
    choices = spaces.draw(LIBRARY.num_options, samples, seed=samples)
    for accuracy in (rng.uniform(0, 1, samples), np.full(samples, 1.0), np.zeros(samples)):
        found = fit(LIBRARY, choices, accuracy, FitOptions(order=order, target=target))
        predicted = found.model.bind(LIBRARY).predict(spaces.draw(LIBRARY.num_options, 2000, seed=0))
        for values in (predicted.accuracy, predicted.low, predicted.high, found.predicted_S):
            assert np.isfinite(values).all()
            assert ((values >= 0) & (values <= 1)).all()
        assert (predicted.low <= predicted.accuracy).all()
        assert (predicted.accuracy <= predicted.high).all()


def test_equal_arguments_give_an_equal_model_and_another_seed_other_resamples_only() -> None:
    choices = spaces.draw(LIBRARY.num_options, 20, seed=6)
    accuracy = quadratic(choices) + np.random.default_rng(0).normal(0, 0.01, 20)
    first = fit(LIBRARY, choices, accuracy, FitOptions(seed=1))
    again = fit(LIBRARY, choices, accuracy, FitOptions(seed=1))
    assert first.model.to_json() == again.model.to_json()
    assert first.metrics == again.metrics
    assert first.learning_curve == again.learning_curve
    other = fit(LIBRARY, choices, accuracy, FitOptions(seed=2))
    assert other.model == first.model
    assert other.metrics != first.metrics
    assert other.metrics.kendall_tau.value == first.metrics.kendall_tau.value


def test_what_is_fixed_is_not_chosen() -> None:
    choices = spaces.draw(LIBRARY.num_options, 12, seed=7)
    options = FitOptions(order=2, target="negative_log_error", strengths=(0.5,), qualities=("nsr",))
    found = fit(LIBRARY, choices, quadratic(choices), options)
    assert (found.model.order, found.model.target, found.model.strength) == (2, "negative_log_error", 0.5)
    assert len(found.candidates) == 1


def test_qualities_are_offered_alone_and_together() -> None:
    tables = spaces.random_tables(3, 6, seed=8)
    both = spaces.library(tables, extra=spaces.random_tables(3, 6, seed=9))
    assert quality_sets(both, ()) == [("nsr",), ("kl",), ("nsr", "kl")]
    assert quality_sets(both, ("kl",)) == [("kl",)]
    assert quality_sets(spaces.library(tables), ()) == [("nsr",)]
    with pytest.raises(FailedPrecondition, match="no quality 'kl'"):
        quality_sets(spaces.library(tables), ("kl",))


def test_an_extra_quality_is_used_when_it_explains_more() -> None:
    extra = spaces.random_tables(3, 20, seed=10)
    library = spaces.library(spaces.random_tables(3, 20, seed=11), extra=extra)
    choices = spaces.draw(library.num_options, 30, seed=12)
    accuracy = 0.9 - library.qualities(choices, "kl") @ [0.1, 0.05, 0.15]
    model = fit(library, choices, accuracy, FitOptions()).model
    assert [scale.name for scale in model.scales] == ["kl"]


def test_a_fit_can_be_stopped() -> None:
    choices = np.unique(spaces.draw(LIBRARY.num_options, 80, seed=13), axis=0)
    seen: list[str] = []
    fit(LIBRARY, choices, quadratic(choices), FitOptions(order=1), seen.append, learning_curve_subsets=1)
    assert len(seen) <= num_steps(len(choices))
    assert seen.count("leaving one out") == 64  # the long part, so it is asked there again and again

    def stop(name: str) -> None:
        if name == "leaving one out":
            raise Cancelled(name)

    with pytest.raises(Cancelled):
        fit(LIBRARY, choices, quadratic(choices), FitOptions(), stop)
