"""Ranges of a space against listing it."""

import numpy as np
import pytest

from donna.errors import FailedPrecondition, InvalidArgument
from services.searcher import distribution, feasibility
from services.searcher.distribution import max_range, sum_range
from services.searcher.feasibility import Row, check, function_range
from services.searcher.metric import Bound, Metric
from tests.unit.searcher.spaces import ACCURACY, PARAMETERS, Space


def lower_median(values: np.ndarray) -> float:
    return float(np.sort(values)[(len(values) - 1) // 2])


@pytest.mark.parametrize("num_options", [(4, 7, 3), (5, 5, 5, 5), (2,), (1, 9)])
@pytest.mark.parametrize("seed", range(3))
def test_sum_and_maximum_equal_the_listed_space(num_options, seed: int) -> None:
    space = Space.random(num_options, seed)
    parts = space.parameters[np.arange(len(num_options)), space.every()]
    sums, found = parts.sum(axis=1) + 7.0, sum_range(space.parameters, 7.0, np.random.default_rng(0))
    assert (found.smallest, found.median, found.largest, found.exact) == (
        sums.min(), lower_median(sums), sums.max(), True,
    )  # fmt: skip
    for floor in (0.0, 30.0, 500.0):
        largest, found = np.maximum(parts.max(axis=1), floor), max_range(space.parameters, floor)
        assert (found.smallest, found.median, found.largest) == (
            largest.min(), lower_median(largest), largest.max(),
        )  # fmt: skip


def test_too_many_sums_are_sampled_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "MAX_SUPPORT", 50)
    space = Space.random((9, 9, 9, 9), 0)
    sums = space.cost(space.every(), "parameters")
    found = sum_range(space.parameters, 7.0, np.random.default_rng(0))
    assert not found.exact
    assert (found.smallest, found.largest) == (sums.min(), sums.max())
    assert found.median == pytest.approx(np.median(sums), rel=0.02)


def test_any_function_exactly_and_by_descent(monkeypatch: pytest.MonkeyPatch) -> None:
    space = Space.random((8, 8, 8, 8), 4, second_order=True)
    every = space.accuracy(space.every())
    generator = np.random.default_rng(0)
    found = function_range(space.accuracy, space.num_options, generator)
    assert (found.smallest, found.median, found.largest, found.exact) == (
        every.min(), lower_median(every), every.max(), True,
    )  # fmt: skip
    monkeypatch.setattr(feasibility, "ENUMERABLE", 10)
    near = function_range(space.accuracy, space.num_options, generator)
    assert not near.exact
    assert (near.smallest, near.largest) == pytest.approx((every.min(), every.max()))
    assert near.median == pytest.approx(np.median(every), abs=0.01)


def test_a_bound_outside_the_range_is_refused_with_the_figures() -> None:
    found = sum_range(np.array([[3.0, 5.0], [10.0, 20.0]]), 1.0, np.random.default_rng(0))
    reachable = Row(metric=PARAMETERS, range=found, bounds=(Bound(metric=PARAMETERS, maximum=14.0),))
    check([reachable])
    assert reachable.feasible
    out = Row(metric=PARAMETERS, range=found, bounds=(Bound(metric=PARAMETERS, maximum=13.5),))
    assert not out.feasible
    with pytest.raises(FailedPrecondition, match=r"parameters <= 13\.5: the space has smallest 14") as caught:
        check([reachable, out])
    assert caught.value.reason == "BOUND_UNREACHABLE"
    assert caught.value.metadata["smallest"] == "14"
    low = Row(metric=ACCURACY, range=found, bounds=(Bound(metric=ACCURACY, minimum=27.0),))
    with pytest.raises(FailedPrecondition, match="27 <= accuracy"):
        check([low])


def test_metrics_and_bounds_are_checked() -> None:
    assert str(Metric.parse("latency_ms[phone-1]")) == "latency_ms[phone-1]"
    for text in ("speed", "latency_ms", "macs[phone]", "latency_ms[a/b]", ""):
        with pytest.raises(InvalidArgument):
            Metric.parse(text)
    with pytest.raises(InvalidArgument, match="needs min or max"):
        Bound(metric=PARAMETERS)
    with pytest.raises(InvalidArgument, match="is empty: 3 <= parameters <= 2"):
        Bound(metric=PARAMETERS, minimum=3, maximum=2)
