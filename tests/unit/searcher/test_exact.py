"""The exact front against listing the whole space."""

from dataclasses import replace

import numpy as np
import pytest

from donna.errors import ResourceExhausted
from donna.space.target import TARGETS, Target
from services.searcher import exact
from services.searcher.accuracy import PredictedAccuracy
from services.searcher.exact import Term, exact_front
from services.searcher.metric import Bound, Metric
from services.searcher.pareto import non_dominated
from tests.unit.searcher.spaces import ACCURACY, MACS, PARAMETERS, Space

ACTIVATION = Metric(name="activation_bytes")


def terms(space: Space) -> list[Term]:
    accuracy = space.predicted().term()
    assert accuracy is not None
    return [
        accuracy,
        Term(metric=PARAMETERS, table=space.parameters, offset=7.0),
        Term(metric=MACS, table=space.macs, offset=7.0),
        Term(metric=ACTIVATION, table=np.ceil(space.macs / 50), offset=5.0, maximum=True),
    ]


def cost(space: Space):
    def of(X: np.ndarray, name: str) -> np.ndarray:
        if name == "activation_bytes":
            parts = np.ceil(space.macs / 50)[np.arange(len(space.macs)), X]
            return np.maximum(parts.max(axis=1), 5.0)
        return space.cost(X, name)

    return of


@pytest.mark.parametrize("num_options", [(6, 5, 7, 6), (3, 3, 3, 3, 3, 3), (40, 40)])
@pytest.mark.parametrize(
    "objectives", [(ACCURACY, PARAMETERS), (ACCURACY, PARAMETERS, MACS), (ACCURACY, ACTIVATION), (MACS,)]
)
@pytest.mark.parametrize("bounded", [False, True])
def test_equals_the_exhaustive_front(num_options, objectives, bounded: bool) -> None:
    for seed in range(3):
        space = Space.random(num_options, seed)
        every = space.every()
        values = {
            ACCURACY: space.accuracy(every),
            **{m: cost(space)(every, m.name) for m in (PARAMETERS, MACS, ACTIVATION)},
        }
        bounds = (
            Bound(metric=ACCURACY, minimum=float(np.quantile(values[ACCURACY], 0.4))),
            Bound(metric=MACS, maximum=float(np.quantile(values[MACS], 0.5))),
            Bound(metric=ACTIVATION, maximum=float(np.quantile(values[ACTIVATION], 0.7))),
        )[: 3 * bounded]
        feasible = np.ones(len(every), dtype=bool)
        for bound in bounds:
            v = values[bound.metric]
            feasible &= (v >= bound.minimum) if bound.minimum is not None else (v <= bound.maximum)
        F = np.stack([m.sign * values[m] for m in objectives], axis=1)[feasible]
        expected = np.unique(F[non_dominated(F)].round(9), axis=0)
        X = exact_front(num_options, objectives, bounds, terms(space))
        found = np.stack(
            [m.sign * (space.accuracy(X) if m == ACCURACY else cost(space)(X, m.name)) for m in objectives],
            axis=1,
        )
        assert np.array_equal(np.unique(found.round(9), axis=0), expected)


def test_a_logarithmic_target_adds_up_before_its_transform() -> None:
    space = Space.random((5, 5, 5), 0)
    plain = space.predicted()
    tables = replace(plain.tables, target="negative_log_error")
    logarithmic = PredictedAccuracy(tables)
    rest = terms(space)[1:]
    found = []
    for accuracy in (plain, logarithmic):
        median = float(np.median(accuracy(space.every())))
        bound = (Bound(metric=ACCURACY, minimum=median),)
        found.append(exact_front(space.num_options, (ACCURACY, MACS), bound, [accuracy.term(), *rest]))
    assert np.array_equal(*found)


@pytest.mark.parametrize("target", TARGETS)
def test_accuracies_that_clip_still_have_their_front(target: Target) -> None:
    """A line knows no bounds: of networks that clip at 1 or 0 the cheapest is on the front, and bounds hold."""
    space = Space.random((6, 6, 6), 1)
    tables = space.predicted().tables
    t_A = tables.targets(space.every())
    stretch = 4.0 / np.ptp(t_A)  # both ends are far outside of [0, 1]
    predicted = PredictedAccuracy(
        replace(
            tables,
            constant=(tables.constant - np.median(t_A)) * stretch + 0.5,
            unary=tuple(unary_M * stretch for unary_M in tables.unary),
            target=target,
        )
    )
    accuracy = predicted(space.every())
    macs = space.cost(space.every(), "macs")
    assert (accuracy == 0).any()
    if target == "accuracy":
        assert (accuracy == 1).any()
    for bounds in (
        (),
        (Bound(metric=ACCURACY, minimum=0.0, maximum=1.0),),
        (Bound(metric=ACCURACY, minimum=0.25, maximum=0.75),),
    ):
        inside = np.ones(len(macs), dtype=bool)
        for bound in bounds:
            inside &= (accuracy >= bound.minimum) & (accuracy <= bound.maximum)
        F = np.stack([-accuracy, macs], axis=1)[inside]
        term = predicted.term()
        assert term is not None
        X = exact_front(space.num_options, (ACCURACY, MACS), bounds, [term, *terms(space)[1:]])
        found = np.stack([-predicted(X), space.cost(X, "macs")], axis=1)
        assert np.array_equal(
            np.unique(found[non_dominated(found)], axis=0), np.unique(F[non_dominated(F)], axis=0)
        )


def test_a_second_order_predictor_has_no_term() -> None:
    assert Space.random((5, 5, 5), 0, second_order=True).predicted().term() is None


def test_a_front_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    space = Space.random((9, 9, 9), 0)
    monkeypatch.setattr(exact, "MAX_PARTIAL", 20)
    with pytest.raises(ResourceExhausted, match="partial architectures at block 1"):
        exact_front(space.num_options, (ACCURACY, MACS), (), terms(space))
