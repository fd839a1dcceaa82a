"""Ranges of a space against listing it."""

import numpy as np
import pytest

from donna.errors import FailedPrecondition, InvalidArgument
from donna.space.accuracy_tables import AccuracyTables
from services.searcher import accuracy_range as range_module
from services.searcher import distribution
from services.searcher.accuracy_range import accuracy_range, descend, target_limits
from services.searcher.distribution import Range, max_range, sum_range
from services.searcher.feasibility import Row, check
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


@pytest.mark.parametrize("second_order", [False, True])
def test_accuracies_exactly_and_by_descent(monkeypatch: pytest.MonkeyPatch, second_order: bool) -> None:
    for seed in range(5):
        space = Space.random((8, 7, 8, 6), seed, second_order=second_order)
        predicted = space.predicted()
        every = predicted(space.every())
        found = accuracy_range(predicted, np.random.default_rng(0))
        ends = (float(every.min()), float(every.max()))
        assert (found.smallest, found.median, found.largest, found.exact) == (
            ends[0], lower_median(every), ends[1], True,
        )  # fmt: skip
        assert found.limits == ends
        with monkeypatch.context() as small:
            small.setattr(range_module, "ENUMERABLE", 10)
            near = accuracy_range(predicted, np.random.default_rng(0))
        assert not near.exact
        assert (near.smallest, near.largest) == ends
        assert near.median == pytest.approx(np.median(every), abs=0.01)
        assert near.limits[0] <= ends[0]
        assert near.limits[1] >= ends[1]
        assert second_order or near.limits == ends


def test_descent_with_several_inputs_for_each_block() -> None:
    g = np.random.default_rng(0)
    counts, K = (5, 4, 6), 2
    tables = AccuracyTables(
        constant=0.5,
        unary=tuple(g.normal(0, 0.05, count) for count in counts),
        inputs=tuple(g.normal(0, 0.3, (count, K)) for count in counts),
        cross_DD=g.normal(0, 0.3, (6, 6))
        * (np.repeat(np.arange(3), K)[:, None] < np.repeat(np.arange(3), K)),
        unseen=tuple(np.zeros(count, dtype=bool) for count in counts),
        target="accuracy",
        half_width=np.inf,
    )
    X = np.indices(counts).reshape(3, -1).T
    t_A = tables.targets(X)
    assert descend(tables, X[:12], 1.0) == pytest.approx(t_A.min())
    assert descend(tables, X[:12], -1.0) == pytest.approx(t_A.max())
    low, high = target_limits(tables)
    assert low <= t_A.min()
    assert high >= t_A.max()


def test_only_what_is_proven_is_refused() -> None:
    estimate = Range(smallest=0.2, median=0.5, largest=0.8, exact=False, limits=(0.1, 0.9))
    perhaps = Row(metric=ACCURACY, range=estimate, bounds=(Bound(metric=ACCURACY, minimum=0.85),))
    check([perhaps])
    assert perhaps.feasible
    with pytest.raises(FailedPrecondition, match="the space has about smallest"):
        check([Row(metric=ACCURACY, range=estimate, bounds=(Bound(metric=ACCURACY, minimum=0.95),))])


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
