"""The sentence of a run: never more than the figures say."""

from __future__ import annotations

from typing import Any

import pytest

from donna.pipeline.found import found


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
