"""Signs, bounds, and what is never measured."""

import numpy as np
import pytest

from donna.errors import InvalidArgument
from services.searcher.metric import Bound, Metric
from services.searcher.problem import Problem
from tests.unit.searcher.spaces import ACCURACY, PARAMETERS, Space

PHONE, BOARD = Metric.parse("latency_ms[phone]"), Metric.parse("latency_ms[board]")


def test_accuracy_is_maximised_and_the_rest_minimised() -> None:
    space = Space.random((4, 4), 0)
    X = space.every()
    found = space.problem((ACCURACY, PARAMETERS)).evaluate(X)
    assert (found.F[:, 0] == -space.accuracy(X)).all()
    assert (found.F[:, 1] == space.cost(X, "parameters")).all()
    assert found.feasible.all()


def test_only_what_meets_the_other_bounds_is_measured_once_for_all_devices() -> None:
    space = Space.random((6, 6), 0)
    X = space.every()
    limit = float(np.median(space.cost(X, "parameters")))
    asked = []

    def latency(rows: np.ndarray, devices):
        asked.append((rows, tuple(devices)))
        slow = rows.sum(axis=1).astype(float)
        return {"phone": np.where(rows[:, 0] == 1, np.nan, slow), "board": slow * 2}

    problem = Problem(
        num_options=space.num_options,
        objectives=(ACCURACY, PHONE),
        bounds=(Bound(metric=PARAMETERS, maximum=limit), Bound(metric=BOARD, maximum=12.0)),
        accuracy=space.accuracy,
        cost=space.cost,
        latency=latency,
    )
    found = problem.evaluate(X)
    small = space.cost(X, "parameters") <= limit
    assert len(asked) == 1
    assert (asked[0][0] == X[small]).all()
    assert asked[0][1] == ("phone", "board")
    runs = (X[:, 0] != 1) & (X.sum(axis=1) * 2 <= 12)
    assert (found.feasible == (small & runs)).all()
    assert np.isnan(found.F[~small, 1]).all()


def test_nothing_is_measured_when_nothing_is_small_enough() -> None:
    space = Space.random((3, 3), 0)

    def latency(rows: np.ndarray, devices):
        raise AssertionError("measured")

    problem = Problem(
        num_options=space.num_options,
        objectives=(PHONE,),
        bounds=(Bound(metric=PARAMETERS, maximum=1.0),),
        cost=space.cost,
        latency=latency,
    )
    assert not problem.evaluate(space.every()).feasible.any()


def test_a_problem_needs_distinct_objectives_and_all_functions() -> None:
    space = Space.random((3, 3), 0)
    with pytest.raises(InvalidArgument, match="at least one objective"):
        space.problem(())
    with pytest.raises(InvalidArgument, match="distinct"):
        space.problem((ACCURACY, ACCURACY))
    with pytest.raises(InvalidArgument, match=r"nothing computes latency_ms\[phone\]"):
        space.problem((ACCURACY, PHONE))
