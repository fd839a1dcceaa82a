"""Every wrong field of a record is named at once, with what it may be."""

from __future__ import annotations

import math

import pytest

from donna.allowed import Flag, Number, Word, read
from donna.errors import InvalidArgument

ALLOWED = {
    "size": Number(int, 1, 8),
    "rate": Number(float, 0, 1, excluded=True),
    "kind": Word(("a", "b")),
    "quick": Flag(),
}


def test_values_come_as_their_kind() -> None:
    found = read({"size": 4.0, "rate": 1, "kind": "b", "quick": False}, ALLOWED, "recipe", "a recipe")
    assert found == {"size": 4, "rate": 1.0, "kind": "b", "quick": False}
    assert [type(value) for value in found.values()] == [int, float, str, bool]


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InvalidArgument) as refused:
        read({"size": 1.5, "rate": 0, "kind": "c", "quick": 1, "colour": 2}, ALLOWED, "recipe", "a recipe")
    assert {v.field: v.description for v in refused.value.violations} == {
        "recipe.colour": "is not a field of a recipe",
        "recipe.size": "must be a whole number in 1..8, got 1.5",
        "recipe.rate": "must be a number above 0, at most 1, got 0",
        "recipe.kind": "must be one of a, b, got 'c'",
        "recipe.quick": "must be true or false, got 1",
    }


@pytest.mark.parametrize("value", [math.nan, math.inf, True, "1", None, [1]])
def test_what_is_no_number_is_refused(value: object) -> None:
    with pytest.raises(InvalidArgument):
        read({"size": value}, ALLOWED, "recipe", "a recipe")
