"""Recipes: checked field by field; the learning rate warms up and comes down to zero."""

from __future__ import annotations

from typing import Any

import pytest

from donna.errors import InvalidArgument
from services.distiller.recipe import Recipe


@pytest.mark.parametrize(
    ("raw", "fields"),
    [
        ({"epochs": -1}, ["epochs"]),
        ({"epochs": 0}, ["epochs"]),
        ({"epochs": float("nan")}, ["epochs"]),
        ({"batch_size": 1}, ["batch_size"]),
        ({"batch_size": 2.5}, ["batch_size"]),
        ({"learning_rate": -0.1, "weight_decay": -1}, ["learning_rate", "weight_decay"]),
        ({"optimizer": "adma"}, ["optimizer"]),
        ({"precision": "float16"}, ["precision"]),
        ({"seed": -1}, ["seed"]),
        ({"epoch": 1}, ["epoch"]),
        ({"quality_points": 0, "calibration_batches": 0}, ["quality_points", "calibration_batches"]),
        ({"replace_one_quality": 1}, ["replace_one_quality"]),
    ],
)
def test_what_is_wrong_is_named(raw: dict[str, Any], fields: list[str]) -> None:
    with pytest.raises(InvalidArgument) as refused:
        Recipe.parse(raw)
    assert [v.field for v in refused.value.violations] == [f"recipe.{name}" for name in fields]


def test_parse_is_the_inverse_of_to_dict() -> None:
    recipe = Recipe(epochs=1.5, seed=7, optimizer="sgd", replace_one_quality=True)
    assert Recipe.parse(recipe.to_dict()) == recipe
    assert Recipe.parse({"epochs": 2}) == Recipe.parse({"epochs": 2.0})


def test_steps_count_full_batches() -> None:
    assert Recipe(epochs=2, batch_size=30).steps(100) == 6
    assert Recipe(epochs=0.5, batch_size=10).steps(100) == 5
    assert Recipe(epochs=1, batch_size=64).steps(10) == 1


def test_qualities_are_measured_at_even_distances_and_at_the_end() -> None:
    assert Recipe(epochs=2, batch_size=10, quality_points=4).quality_steps(100) == (5, 10, 15, 20)
    assert Recipe(epochs=1, batch_size=10, quality_points=1).quality_steps(100) == (10,)
    assert Recipe(epochs=1, batch_size=50, quality_points=5).quality_steps(100) == (1, 2)


def test_the_learning_rate_rises_then_falls_to_nearly_nothing() -> None:
    recipe = Recipe(learning_rate=0.4, warmup_fraction=0.1)
    rates = [recipe.learning_rate_at(step, 100) for step in range(100)]
    assert rates[:11] == sorted(rates[:11])
    assert rates[10] == max(rates) == 0.4
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 0.001
