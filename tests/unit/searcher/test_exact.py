"""The exact front against listing the whole space."""

import numpy as np
import pytest

from donna.errors import FailedPrecondition, ResourceExhausted
from services.searcher import exact
from services.searcher.exact import Term, additive_accuracy, exact_front
from services.searcher.metric import Bound, Metric
from services.searcher.pareto import non_dominated
from tests.unit.searcher.spaces import ACCURACY, MACS, PARAMETERS, Space

ACTIVATION = Metric(name="activation_bytes")


def terms(space: Space) -> list[Term]:
    accuracy = additive_accuracy(space.accuracy, space.num_options, np.random.default_rng(0))
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


def test_a_logarithmic_target_is_recognised() -> None:
    space = Space.random((5, 5, 5), 0)
    accuracy = lambda X: 1.0 - np.exp(-3.0 * space.accuracy(X))  # noqa: E731
    term = additive_accuracy(accuracy, space.num_options, np.random.default_rng(0))
    plain = additive_accuracy(space.accuracy, space.num_options, np.random.default_rng(0))
    rest = terms(space)[1:]
    bound = (Bound(metric=ACCURACY, minimum=float(np.median(accuracy(space.every())))),)
    same = (Bound(metric=ACCURACY, minimum=float(np.median(space.accuracy(space.every())))),)
    logarithmic = exact_front(space.num_options, (ACCURACY, MACS), bound, [term, *rest])
    assert np.array_equal(logarithmic, exact_front(space.num_options, (ACCURACY, MACS), same, [plain, *rest]))


def test_a_second_order_predictor_is_refused() -> None:
    space = Space.random((5, 5, 5), 0, second_order=True)
    with pytest.raises(FailedPrecondition, match="does not add up"):
        additive_accuracy(space.accuracy, space.num_options, np.random.default_rng(0))


def test_a_front_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    space = Space.random((9, 9, 9), 0)
    monkeypatch.setattr(exact, "MAX_PARTIAL", 20)
    with pytest.raises(ResourceExhausted, match="partial architectures at block 1"):
        exact_front(space.num_options, (ACCURACY, MACS), (), terms(space))
