"""Tables against the plain formula; the stored form; libraries that grow, and libraries that are others."""

import json
from dataclasses import replace

import numpy as np
import pytest

from donna.errors import DataLoss, FailedPrecondition
from donna.space import Library
from donna.space.target import TARGETS, Target, forward, inverse
from services.predictor.features import Order, design_matrix
from services.predictor.fit import FitOptions, fit
from services.predictor.model import Model
from services.predictor.quality import inputs
from tests.unit.predictor import spaces

TABLES = spaces.random_tables(4, 300, seed=0)
LIBRARY = spaces.library(TABLES, extra=spaces.random_tables(4, 300, seed=1))
CHOICES = spaces.draw(LIBRARY.num_options, 24, seed=2)
ACCURACY = np.random.default_rng(3).uniform(0.5, 0.9, 24)


def fitted(
    order: Order = 2, qualities: tuple[str, ...] = ("nsr", "kl"), target: Target = "accuracy"
) -> Model:
    options = FitOptions(order=order, qualities=qualities, target=target, strengths=(0.1,))
    return fit(LIBRARY, CHOICES, ACCURACY, options, learning_curve_subsets=0).model


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("qualities", [("nsr",), ("nsr", "kl")])
@pytest.mark.parametrize("target", TARGETS)
def test_tables_say_what_the_formula_says(order: Order, qualities: tuple[str, ...], target: Target) -> None:
    model = fitted(order, qualities, target)
    X = spaces.draw(
        LIBRARY.num_options, 20_001, seed=4
    )  # more than one piece, and not a whole number of them
    design = design_matrix(inputs(LIBRARY, model.scales, X), order)
    expected = inverse(target, model.intercept + design @ np.array(model.coefficients))
    for dtype in (np.int64, "<u2", "<u4"):
        assert np.allclose(model.bind(LIBRARY).accuracies(X.astype(dtype)), expected, rtol=0, atol=1e-9)


def test_inputs_are_standardised_over_the_library() -> None:
    model = fitted()
    Z = inputs(LIBRARY, model.scales, np.repeat(np.arange(300)[:, None], 4, axis=1))
    assert np.allclose(Z.mean(axis=0), 0, atol=1e-9)
    assert np.allclose(Z.std(axis=0), 1, atol=1e-9)
    assert np.allclose(Z[:, 0], (TABLES[0] - TABLES[0].mean()) / TABLES[0].std())


def test_json_is_read_back_and_names_what_it_holds() -> None:
    model = fitted()
    assert Model.from_json(model.to_json()) == model
    raw = json.loads(model.to_json())
    assert raw["format"] == "donna.predictor/1"
    assert raw["library"] == LIBRARY.digest
    assert raw["lineage"] == LIBRARY.lineage
    assert raw["blocks"] == ["block0", "block1", "block2", "block3"]
    assert len(raw["coefficients"]) == 8 + 8 + 28
    assert "nsr(block0)*kl(block3)" in raw["coefficients"]


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"format":"donna.predictor/2"}', b"\x80\x04."])
def test_bytes_that_are_no_predictor_are_refused(data: bytes) -> None:
    with pytest.raises(DataLoss, match=r"donna\.predictor/1"):
        Model.from_json(data)


def grown(quality: float) -> Library:
    blocks = (
        replace(LIBRARY.blocks[0], entries=(*LIBRARY.blocks[0].entries, spaces.entry(300, quality, kl=0.2))),
        *LIBRARY.blocks[1:],
    )
    return replace(LIBRARY, blocks=blocks)


def test_entries_added_later_are_predicted_from_their_quality_without_a_refit() -> None:
    model = fitted(qualities=("nsr",))
    twin = int(np.argsort(TABLES[0])[150])
    bound = model.bind(grown(float(TABLES[0][twin])))
    X = spaces.draw(LIBRARY.num_options, 50, seed=5)
    X[:, 0] = twin
    new = X.copy()
    new[:, 0] = 300
    assert np.allclose(bound.accuracies(new), model.bind(LIBRARY).accuracies(X), rtol=0, atol=1e-12)


def test_a_quality_outside_the_range_of_the_samples_is_marked() -> None:
    model = fitted(qualities=("nsr",))
    seen = LIBRARY.qualities(CHOICES)
    X = spaces.draw(LIBRARY.num_options, 5000, seed=6)
    q = LIBRARY.qualities(X)
    expected = ((q < seen.min(axis=0)) | (q > seen.max(axis=0))).any(axis=1)
    found = model.bind(LIBRARY).predict(X).extrapolated
    assert 0 < expected.sum() < len(X)
    assert np.array_equal(found, expected)
    assert not model.bind(LIBRARY).predict(CHOICES).extrapolated.any()
    worse = np.array([[300, *CHOICES[0, 1:]]])
    assert model.bind(grown(9.0)).predict(worse).extrapolated.all()


def test_another_lineage_is_refused() -> None:
    model = fitted()
    for changed in (
        {"reference": {"provider": "another"}},
        {"recipe": {"epochs": 2.0}},
        {"dataset": {"provider": "another"}},
    ):
        other = replace(LIBRARY, **changed)
        with pytest.raises(FailedPrecondition) as refused:
            model.bind(other)
        assert refused.value.metadata == {
            "predictor_lineage": LIBRARY.lineage,
            "library_lineage": other.lineage,
        }


def test_an_entry_without_a_quality_of_the_fit_is_refused() -> None:
    first = LIBRARY.blocks[0]
    blocks = (replace(first, entries=(*first.entries, spaces.entry(300, 0.2))), *LIBRARY.blocks[1:])
    with pytest.raises(FailedPrecondition, match=r"index=300.*block0.*no quality 'kl'"):
        fitted().bind(replace(LIBRARY, blocks=blocks))


def test_lineage_is_of_the_origin_and_not_of_the_entries() -> None:
    assert grown(0.4).lineage == LIBRARY.lineage
    assert grown(0.4).digest != LIBRARY.digest
    assert Library.from_json(LIBRARY.to_json()).lineage == LIBRARY.lineage
    renamed = replace(LIBRARY, blocks=(replace(LIBRARY.blocks[0], name="other"), *LIBRARY.blocks[1:]))
    reshaped = replace(LIBRARY, blocks=(replace(LIBRARY.blocks[0], output_shape=(4, 4)), *LIBRARY.blocks[1:]))
    shorter = replace(LIBRARY, blocks=LIBRARY.blocks[1:])
    assert len({library.lineage for library in (LIBRARY, renamed, reshaped, shorter)}) == 4


@pytest.mark.parametrize("target", TARGETS)
def test_intervals_are_symmetric_in_target_units(target: Target) -> None:
    predicted = fitted(target=target).bind(LIBRARY).predict(spaces.draw(LIBRARY.num_options, 200, seed=7))
    inside = (predicted.low > 0) & (predicted.high < 0.99)
    assert inside.any()
    below = forward(target, predicted.accuracy) - forward(target, predicted.low)
    above = forward(target, predicted.high) - forward(target, predicted.accuracy)
    assert np.allclose(below[inside], above[inside])


@pytest.mark.parametrize("target", TARGETS)
def test_targets_are_inverted(target: Target) -> None:
    accuracy = np.linspace(0, 0.999, 50)
    assert np.allclose(inverse(target, forward(target, accuracy)), accuracy)
    assert (inverse(target, np.array([-1e9, -5.0, 5.0, 1e9])) >= 0).all()
    assert (inverse(target, np.array([-1e9, -5.0, 5.0, 1e9])) <= 1).all()
