"""The loop with its values and hypervolumes: stored after any generation, it ends the same."""

import json

import numpy as np

from services.searcher.evolution import Evolution
from services.searcher.loop import Loop
from services.searcher.metric import Bound
from services.searcher.pareto import non_dominated
from tests.unit.searcher.spaces import ACCURACY, MACS, PARAMETERS, Space


def loop(space: Space) -> Loop:
    bound = Bound(metric=MACS, maximum=float(np.nanmean(space.macs) * 4))
    problem = space.problem((ACCURACY, PARAMETERS), (bound,))
    evolution = Evolution(
        num_options=space.num_options, num_objectives=2, population=16, seed=1, tables=space.tables
    )
    return Loop(problem, evolution, ideal=np.array([-1.0, 4.0]), worst=np.array([np.nan, 400.0]))


def test_stored_after_any_generation_it_ends_the_same() -> None:
    space = Space.random((9, 9, 9, 9), 0, second_order=True)
    whole = loop(space)
    states, parts = [], []
    for generation in range(8):
        whole.step()
        state, (number, part) = whole.save()
        assert number == generation
        states.append(json.dumps(state))
        parts.append(json.dumps(part))
    assert max(map(len, parts[1:])) < 1.2 * len(parts[0])  # a part does not grow with the search
    for generation, text in enumerate(states, start=1):
        resumed = loop(space)
        resumed.load(json.loads(text), [json.loads(part) for part in parts[:generation]])
        assert resumed.front().tolist() == non_dominated(*resumed.evolution.archive[1:]).tolist()
        while resumed.generation < 8:
            resumed.step()
            state, (number, part) = resumed.save()
            assert json.dumps(part) == parts[number]
        assert json.dumps(state if generation < 8 else resumed.save()[0]) == states[-1]
        assert resumed.history == whole.history
    assert (whole.generations == np.repeat(np.arange(1, 9), 16)).all()
    assert (whole.values[ACCURACY] == space.accuracy(whole.X)).all()
    volumes = [generation.hypervolume for generation in whole.history]
    assert volumes == sorted(volumes)
    assert 0 < volumes[-1] < 1
    assert whole.history[-1].front_size == len(
        np.unique(whole.problem.evaluate(whole.X[whole.front()]).F, axis=0)
    )


def test_better_values_change_the_front_and_stay() -> None:
    space = Space.random((9, 9, 9), 0)
    search = loop(space)
    for _ in range(3):
        search.step()
    before = set(search.front().tolist())
    values = dict(search.values)
    values[PARAMETERS] = values[PARAMETERS].max() + 1 - values[PARAMETERS]
    search.save()
    search.revalue(values)
    assert set(search.front().tolist()) != before
    state, (number, part) = search.save()
    assert number == 0  # everything is stored anew
    resumed = loop(space)
    resumed.load(state, [part])
    assert (resumed.values[PARAMETERS] == values[PARAMETERS]).all()
    assert (search.values[PARAMETERS] == values[PARAMETERS]).all()
    search.step()
    assert len(search.X) == len(search.values[PARAMETERS]) == 64
