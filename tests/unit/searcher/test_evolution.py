"""NSGA-II against the exhaustive front; nothing twice; killed anywhere, it goes on bit for bit."""

import json

import numpy as np
import pytest

from donna.errors import DataLoss, InvalidArgument
from services.searcher.evolution import Evolution
from services.searcher.exact import Term, exact_front
from services.searcher.metric import Bound, Metric
from services.searcher.pareto import hypervolume, non_dominated
from services.searcher.problem import Problem
from services.searcher.state import SearchState
from tests.unit.searcher.spaces import ACCURACY, MACS, PARAMETERS, Space


def evolution(space: Space, objectives: tuple[Metric, ...], *, population: int, seed: int) -> Evolution:
    return Evolution(
        num_options=space.num_options,
        num_objectives=len(objectives),
        population=population,
        seed=seed,
        tables=space.tables,
    )


def advance(search: Evolution, problem: Problem) -> np.ndarray:
    X = search.ask()
    found = problem.evaluate(X)
    search.tell(X, found.F, found.G)
    return X


def box(front: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reference and ideal point close to a front: in a box around the whole space any front has nearly all volume."""
    ideal, nadir = front.min(axis=0), front.max(axis=0)
    return nadir + 0.1 * (nadir - ideal), ideal


@pytest.mark.parametrize(
    ("num_options", "objectives"),
    [
        ((10, 10, 10, 10), (ACCURACY, PARAMETERS)),
        ((6, 6, 6, 6, 6), (ACCURACY, MACS)),
        ((21, 20, 23), (ACCURACY, PARAMETERS)),
        ((10, 10, 10, 10), (ACCURACY, PARAMETERS, MACS)),
    ],
)
def test_reaches_99_percent_of_the_exhaustive_hypervolume(num_options, objectives) -> None:
    for seed in range(10):
        space = Space.random(num_options, seed, second_order=True)
        problem = space.problem(objectives)
        F = problem.evaluate(space.every()).F
        front = F[non_dominated(F)]
        worst, ideal = box(front)
        whole = hypervolume(front, worst, ideal)
        search = evolution(space, objectives, population=50, seed=seed)
        evaluated, share = 0, 0.0
        while share < 0.99 and evaluated < 2000:
            evaluated += len(advance(search, problem))
            X, found, _ = search.archive
            share = hypervolume(found, worst, ideal) / whole
        assert len(np.unique(X, axis=0)) == len(X) == evaluated <= 2000
        assert share >= 0.99, f"seed {seed}: {share} after {evaluated}"


@pytest.mark.parametrize("seed", range(10))
def test_bounds_hold_on_the_front_and_the_bounded_front_is_found(seed: int) -> None:
    space = Space.random((9, 9, 9, 9), seed)
    free = space.problem((ACCURACY, PARAMETERS)).evaluate(space.every())
    limit = float(np.quantile(free.values[PARAMETERS], 0.3))
    lowest = float(np.quantile(free.values[ACCURACY], 0.2))
    bounds = (Bound(metric=PARAMETERS, maximum=limit), Bound(metric=ACCURACY, minimum=lowest))
    problem = space.problem((ACCURACY, MACS), bounds)
    exhaustive = problem.evaluate(space.every())
    possible = exhaustive.F[exhaustive.feasible]
    worst, ideal = box(possible[non_dominated(possible)])
    search = evolution(space, (ACCURACY, MACS), population=40, seed=seed)
    while search.generation < 50:
        advance(search, problem)
    X, F, G = search.archive
    front = X[non_dominated(F, G)]
    assert (space.cost(front, "parameters") <= limit).all()
    assert (space.accuracy(front) >= lowest).all()
    share = hypervolume(F[non_dominated(F, G)], worst, ideal) / hypervolume(possible, worst, ideal)
    assert share >= 0.99


@pytest.mark.parametrize("seed", range(3))
def test_comes_near_the_exact_front_of_a_space_that_nobody_can_list(seed: int) -> None:
    space = Space.random((30,) * 10, seed)  # 6e14 networks
    objectives = (ACCURACY, PARAMETERS)
    problem = space.problem(objectives)
    accuracy = space.predicted().term()
    assert accuracy is not None
    terms = [accuracy, Term(metric=PARAMETERS, table=space.parameters, offset=7.0)]
    exact = problem.evaluate(exact_front(space.num_options, objectives, (), terms)).F
    worst, ideal = box(exact)
    search = evolution(space, objectives, population=100, seed=seed)
    while search.generation < 50:
        advance(search, problem)
    _, F, _ = search.archive
    found = F[non_dominated(F)]
    together = np.concatenate([exact, found])
    assert set(range(len(exact))) <= set(
        non_dominated(together.round(9)).tolist()
    )  # nothing beats the exact front
    assert hypervolume(found, worst, ideal) >= 0.97 * hypervolume(exact, worst, ideal)


def test_killed_after_any_generation_it_goes_on_bit_for_bit() -> None:
    space = Space.random((12, 12, 12, 12), 3, second_order=True)
    objectives = (ACCURACY, PARAMETERS)
    limit = Bound(metric=MACS, maximum=float(np.nanmean(space.macs) * 4))
    problem = space.problem(objectives, (limit,))
    whole = evolution(space, objectives, population=20, seed=5)
    states, archives = [], []
    for _ in range(12):
        advance(whole, problem)
        states.append(json.dumps(whole.state().to_json()))
        archives.append(whole.archive)
    for generation, stored in enumerate(states, start=1):
        resumed = evolution(space, objectives, population=20, seed=5)
        resumed.restore(SearchState.from_json(json.loads(stored)), *archives[generation - 1])
        assert resumed.generation == generation
        assert json.dumps(resumed.state().to_json()) == stored
        while resumed.generation < 12:
            advance(resumed, problem)
        assert json.dumps(resumed.state().to_json()) == states[-1]
        assert all((a == b).all() for a, b in zip(resumed.archive, archives[-1], strict=True))


def test_a_killed_generation_is_asked_for_again() -> None:
    space = Space.random((12, 12, 12), 1)
    first = evolution(space, (ACCURACY, MACS), population=16, seed=2)
    advance(first, space.problem((ACCURACY, MACS)))
    stored, archive = json.dumps(first.state().to_json()), first.archive
    asked = first.ask()
    again = evolution(space, (ACCURACY, MACS), population=16, seed=2)
    again.restore(SearchState.from_json(json.loads(stored)), *archive)
    assert (again.ask() == asked).all()


def test_seeds_differ_and_repeat() -> None:
    space = Space.random((12, 12, 12), 1)
    asked = [evolution(space, (ACCURACY, MACS), population=16, seed=s).ask() for s in (1, 1, 2)]
    assert (asked[0] == asked[1]).all()
    assert (asked[0] != asked[2]).any()


def test_first_generation_holds_the_extremes() -> None:
    space = Space.random((12, 12, 12), 1)
    X = evolution(space, (ACCURACY, MACS), population=16, seed=2).ask().tolist()
    for table in space.tables:
        assert np.nanargmin(table, axis=1).tolist() in X


def test_first_generation_holds_everything_initial_however_much_that_is() -> None:
    space = Space.random((12, 12, 12), 1)
    initial = np.random.default_rng(0).permutation(space.every())[:30]
    problem = space.problem((ACCURACY, MACS))

    def started() -> Evolution:
        return Evolution(
            num_options=space.num_options,
            num_objectives=2,
            population=16,
            seed=2,
            tables=space.tables,
            initial=np.concatenate([initial, initial[:5]]),
        )

    search = started()
    X = search.ask()
    assert X[:30].tolist() == initial.tolist()
    for table in space.tables:
        assert np.nanargmin(table, axis=1).tolist() in X.tolist()
    assert len(np.unique(X, axis=0)) == len(X) <= 33
    found = problem.evaluate(X)
    search.tell(X, found.F, found.G)
    resumed = started()
    resumed.restore(search.state(), *search.archive)
    for _ in range(3):
        X = advance(search, problem)
        assert len(X) == 16
        assert (advance(resumed, problem) == X).all()
    assert len(search.state().survivors) == 16


def test_what_is_given_twice_is_asked_for_once() -> None:
    """Where the distinct ones are just as many as the population: rows are numbered by what is asked for."""
    space = Space.random((12, 12, 12), 1)
    problem = space.problem((ACCURACY, MACS))
    extremes = evolution(space, (ACCURACY, MACS), population=16, seed=2)._given
    others = np.random.default_rng(0).permutation(space.every())[: 16 - len(extremes)]

    def started() -> Evolution:
        return Evolution(
            num_options=space.num_options,
            num_objectives=2,
            population=16,
            seed=2,
            tables=space.tables,
            initial=np.concatenate([extremes, others]),
        )

    search = started()
    advance(search, problem)
    resumed = started()
    resumed.restore(search.state(), *search.archive)
    for _ in range(3):
        assert (advance(resumed, problem) == advance(search, problem)).all()
        X = search.archive[0]
        assert len(np.unique(X, axis=0)) == len(X) == 16 * search.generation


@pytest.mark.parametrize("num_options", [(3, 4, 2), (1, 1), (2,), (1, 30)])
def test_a_small_space_is_used_up_and_ends(num_options: tuple[int, ...]) -> None:
    space = Space.random(num_options, 0)
    problem = space.problem((ACCURACY, MACS))
    search = evolution(space, (ACCURACY, MACS), population=10, seed=0)
    sizes = []
    while len(X := search.ask()):
        found = problem.evaluate(X)
        search.tell(X, found.F, found.G)
        sizes.append(len(X))
        # Also where mating finds nothing new, a search goes on after it was stored.
        stored, archive = search.state(), search.archive
        search = evolution(space, (ACCURACY, MACS), population=10, seed=0)
        search.restore(stored, *archive)
    assert sum(sizes) == np.prod(num_options)
    assert search.exhausted
    assert {tuple(row) for row in search.archive[0].tolist()} == {
        tuple(row) for row in space.every().tolist()
    }


def test_better_values_replace_the_population() -> None:
    space = Space.random((8, 8, 8), 0)
    problem = space.problem((ACCURACY, MACS))
    search = evolution(space, (ACCURACY, MACS), population=20, seed=0)
    for _ in range(3):
        advance(search, problem)
    _, F, G = search.archive
    search.revalue(-F, G)
    state = search.state()
    assert (search.archive[1] == -F).all()
    # What was best is now worst: the new population holds the whole new front.
    front = set(non_dominated(-F).tolist())
    assert len(front) <= 20
    assert front <= set(state.survivors.tolist())
    advance(search, problem)


def test_wrong_arguments_and_wrong_bytes() -> None:
    with pytest.raises(InvalidArgument, match="population: must be at least 4, got 2"):
        Evolution(num_options=(3, 3), num_objectives=1, population=2, seed=0)
    with pytest.raises(DataLoss):
        SearchState.from_json({"format": "something else"})
    stored = evolution(Space.random((5, 5), 0), (ACCURACY, MACS), population=4, seed=0)
    advance(stored, Space.random((5, 5), 0).problem((ACCURACY, MACS)))
    for wrong in (
        {"dtype": "O", "shape": [1], "data": ""},
        {"dtype": "<f8", "shape": [3], "data": "AAAA"},
        None,
    ):
        with pytest.raises(DataLoss, match="a stored search state cannot be read"):
            SearchState.from_json({**stored.state().to_json(), "rank": wrong})
