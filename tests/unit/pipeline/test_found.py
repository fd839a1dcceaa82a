"""The sentence of a run: never more than the figures say."""

from __future__ import annotations

from typing import Any

import pytest

from donna.pipeline.found import found, measured_again


def result(*models: tuple[str, float, float]) -> dict[str, Any]:
    return {
        "reference": {"accuracy": 0.9},
        "models": [{"name": n, "accuracy": a, "speedup": {"phone": 10.0 / ms}} for n, a, ms in models],
    }


@pytest.mark.parametrize(
    ("models", "sentence"),
    [
        (
            [("a", 0.95, 8.0), ("b", 0.9, 4.0), ("c", 0.1, 1.0)],
            "b is 2.50x as fast as the reference and at least as",
        ),
        (
            [("a", 0.88, 5.0), ("c", 0.1, 1.0)],
            "a is 2.00x as fast as the reference and 2.0 points less accurate",
        ),
        ([("a", 0.95, 20.0)], "a is 2.00x as slow as the reference and at least as accurate"),
        ([], "no network was finetuned"),
    ],
)
def test_it_names_the_fastest_that_is_as_good_or_the_best(
    models: list[tuple[str, float, float]], sentence: str
) -> None:
    assert found(result(*models), "phone").startswith(f"On phone: {sentence}")


def test_it_tells_how_far_the_exported_models_are_from_the_search() -> None:
    told = result(("a", 0.9, 1.0), ("b", 0.9, 1.0), ("c", 0.9, 1.0))
    assert measured_again(told, "phone") == ""
    for model, difference in zip(told["models"], (0.04, -0.01, 0.021), strict=True):
        model["latency_difference"] = {"phone": difference}
    start = "On phone: measured again, the networks differ from the search by +2.1 % in the median (-1.0 to +4.0 %)"
    assert measured_again(told, "phone") == f"{start}."  # by an older version
    told["reference"]["latency_difference"] = {"phone": 0.03}
    assert measured_again(told, "phone") == f"{start}, and the reference by +3.0 %."
    assert measured_again(told, "desk") == ""


def test_a_device_that_has_changed_its_pace_is_named() -> None:
    told = result(("a", 0.9, 1.0))
    for model in (told["reference"], *told["models"]):
        model["latency_difference"] = {"phone": 0.6}
    assert "and the reference by +60.0 %. The device has changed its pace" in measured_again(told, "phone")
