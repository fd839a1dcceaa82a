"""What packages offer is imported when it is asked for; what cannot be imported stands in no other's way."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from donna import registry
from donna.errors import FailedPrecondition, InvalidArgument
from donna.registry import Registry

OFFERED = {"broken": "no_such_package:THING", "circle": "math:tau", "pi": "math:inf"}


@pytest.fixture
def numbers(monkeypatch: pytest.MonkeyPatch) -> Registry[float]:
    points = [EntryPoint(name, where, "a.group") for name, where in OFFERED.items()]
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == "a.group" else [])
    return Registry(kind="number", group="a.group", ours={"pi": "math:pi", "e": "math:e"})


def test_ours_come_first_and_others_beside_them(numbers: Registry[float]) -> None:
    assert numbers.names() == ("broken", "circle", "e", "pi")
    assert numbers.get("pi", "number") == pytest.approx(3.14159, abs=1e-5)
    assert numbers.get("circle", "number") == pytest.approx(6.28318, abs=1e-5)


def test_what_cannot_be_imported_is_said_each_time_and_hides_nothing(numbers: Registry[float]) -> None:
    for _ in range(2):
        with pytest.raises(FailedPrecondition, match=r"the number 'broken' is registered but cannot be imp"):
            numbers.get("broken", "number")
    assert [name for name, _ in numbers.items()] == ["circle", "e", "pi"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("circel", "did you mean circle"), ("x", "known: broken, circle"), (["pi"], "there is no")],
)
def test_a_name_that_nobody_registered_is_refused(numbers: Registry[float], name: str, hint: str) -> None:
    with pytest.raises(InvalidArgument, match=hint):
        numbers.get(name, "number")
