"""Designs: distinct, reproducible, as good as brute force where that is possible, better than chance."""

import itertools

import numpy as np
import pytest

from donna.errors import InvalidArgument
from services.predictor.design import Exchange, d_optimal, most_informative, standardised, uniform
from services.predictor.fit import FitOptions, fit
from tests.unit.predictor import spaces

NONE = np.zeros((0, 5), dtype=np.int64)


def rows(design: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(row) for row in design.tolist()}


def test_uniform_is_uniform_distinct_and_reproducible() -> None:
    options = (3, 4, 5)
    counts = np.zeros(options, dtype=int)
    for seed in range(3000):
        design = uniform(options, 4, NONE[:, :3], seed)
        assert len(rows(design)) == 4
        np.add.at(counts, tuple(design.T), 1)
    expected = 3000 * 4 / 60
    assert ((counts - expected) ** 2 / expected).sum() < 59 + 4 * np.sqrt(2 * 59)
    assert np.array_equal(uniform(options, 4, NONE[:, :3], 7), uniform(options, 4, NONE[:, :3], 7))


def test_uniform_leaves_out_what_is_excluded_down_to_the_last() -> None:
    everything = np.array(list(itertools.product(range(3), range(4))))
    rest = uniform((3, 4), 5, everything[:7], 0)
    assert rows(rest) == rows(everything[7:])
    with pytest.raises(InvalidArgument, match="at most 5"):
        uniform((3, 4), 6, everything[:7], 0)


def test_uniform_works_in_a_space_beyond_64_bits() -> None:
    design = uniform((384,) * 20, 50, np.zeros((0, 20), dtype=np.int64), 0)
    assert len(rows(design)) == 50
    assert design.max() > 256


def test_what_judges_a_design_had_no_part_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    library = spaces.library(spaces.random_tables(5, 30, seed=0))
    judges = [rows(uniform(library.num_options, 20, NONE, seed)) for seed in range(5)]
    monkeypatch.setattr(Exchange, "improve", lambda self, start: start)
    for seed in range(3):
        assert not rows(d_optimal(library, 20, NONE, seed)) & set.union(*judges)


def test_exchange_finds_the_best_of_all_designs_of_a_small_space() -> None:
    library = spaces.library(spaces.random_tables(2, 3, seed=0))
    exchange = Exchange([np.array([-1.0, 0.2, 1.1]), np.array([-0.7, 0.1, 1.2])], NONE[:, :2])
    space = np.array(list(itertools.product(range(3), range(3))))
    best = max(exchange.log_det(space[list(chosen)]) for chosen in itertools.combinations(range(9), 5))
    found = max(exchange.log_det(exchange.improve(uniform((3, 3), 5, NONE[:, :2], s))) for s in range(10))
    assert np.isclose(found, best)
    assert len(rows(d_optimal(library, 9, NONE[:, :2], 0))) == 9


@pytest.mark.parametrize("blocks", [1, 4, 31])
def test_an_exchange_takes_the_option_that_the_whole_formula_would_take(blocks: int) -> None:
    """Gains come from a quartic and a few columns; here they are f'M^-1 f, option by option."""
    tables = [np.random.default_rng([blocks, n]).normal(size=7) for n in range(blocks)]
    known = uniform((7,) * blocks, min(5, 7**blocks - 1), NONE[:, :0].reshape(0, blocks), 3)
    exchange = Exchange(tables, known)
    assert exchange.order == (1 if blocks == 31 else 2)
    start = uniform((7,) * blocks, 1, known, 0)
    improved = exchange.improve(start)
    inverse = np.linalg.inv(exchange.known_PP)
    expected, before = start.copy(), -np.inf
    while True:
        for n in range(blocks):
            options = np.repeat(expected, 7, axis=0)
            options[:, n] = np.arange(7)
            F = exchange.rows(options)
            gain = np.einsum("ap,pq,aq->a", F, inverse, F)
            gain[[tuple(row) in rows(known) for row in options]] = -np.inf
            expected[0, n] = int(np.argmax(gain))
        if gain.max() <= before + 1e-9:
            break
        before = gain.max()
    assert np.array_equal(improved, expected)


def test_the_most_informative_candidates_are_those_of_largest_determinant() -> None:
    library = spaces.library(spaces.random_tables(3, 8, seed=4))
    candidates = uniform(library.num_options, 9, NONE[:, :3], 1)
    known = np.concatenate([uniform(library.num_options, 6, NONE[:, :3], 2), candidates[:2]])
    chosen = most_informative(library, candidates, 1, known)
    exchange = Exchange(standardised(library, bulk=3.0), known)
    assert exchange.log_det(chosen) == max(exchange.log_det(row[None]) for row in candidates[2:])
    three = most_informative(library, candidates, 3, known)
    pairs = [exchange.log_det(candidates[list(c)]) for c in itertools.combinations(range(2, 9), 3)]
    assert exchange.log_det(three) >= np.quantile(pairs, 0.9)
    assert rows(most_informative(library, candidates, 7, known)) == rows(candidates[2:])
    with pytest.raises(InvalidArgument, match="at most 7"):
        most_informative(library, candidates, 8, known)


def test_a_design_is_more_informative_than_the_best_of_many_random_ones() -> None:
    library = spaces.library(spaces.random_tables(5, 12, seed=1))
    design = d_optimal(library, 20, NONE, seed=0)
    exchange = Exchange(standardised(library), NONE)
    random = [exchange.log_det(uniform(library.num_options, 20, NONE, seed)) for seed in range(200)]
    assert exchange.log_det(design) > max(random) + 1


def test_designs_are_distinct_reproducible_and_build_on_what_is_known() -> None:
    library = spaces.library(spaces.random_tables(5, 100, seed=2))
    known = d_optimal(library, 10, NONE, seed=0)
    assert np.array_equal(known, d_optimal(library, 10, NONE, seed=0))
    more = d_optimal(library, 10, known, seed=0)
    assert len(rows(known)) == len(rows(more)) == 10
    assert not rows(known) & rows(more)
    exchange = Exchange(standardised(library), NONE)
    apart = exchange.log_det(np.concatenate([known, d_optimal(library, 10, NONE, seed=99)]))
    assert exchange.log_det(np.concatenate([known, more])) > apart - 0.5


def test_blocks_with_one_option_or_equal_qualities_are_no_obstacle() -> None:
    library = spaces.library([np.array([0.2]), np.full(6, 0.3), np.linspace(0.1, 0.9, 6)])
    design = d_optimal(library, 12, np.zeros((0, 3), dtype=np.int64), seed=0)
    assert len(rows(design)) == 12


def test_entries_whose_training_diverged_are_not_the_design() -> None:
    tables = spaces.random_tables(4, 24, seed=3)
    for table in tables:
        table[5] = 1e4
    design = d_optimal(spaces.library(tables), 20, NONE[:, :4], seed=0)
    assert (design == 5).mean() < 0.3
    assert all(len(set(column.tolist())) >= 5 for column in design.T)


def test_d_optimal_samples_predict_better_than_as_many_uniform_ones() -> None:
    """Accuracy falls exponentially with the qualities, and a measured one is off by a point."""
    errors = {"uniform": [], "d_optimal": []}
    for seed in range(50):
        rng = np.random.default_rng(seed)
        library = spaces.library(spaces.random_tables(4, 24, seed))
        weights = rng.uniform(0.05, 0.3, 4)

        def truth(choices: np.ndarray, library=library, weights=weights) -> np.ndarray:
            return 0.1 + 0.87 * np.exp(-(library.qualities(choices) @ weights))

        unseen = spaces.draw(library.num_options, 500, seed=10_000 + seed)
        noise = rng.normal(0, 0.01, 14)
        for name, design in (
            ("uniform", uniform(library.num_options, 14, NONE[:, :4], seed)),
            ("d_optimal", d_optimal(library, 14, NONE[:, :4], seed)),
        ):
            model = fit(
                library, design, np.clip(truth(design) + noise, 0, 1), FitOptions(), learning_curve_subsets=0
            ).model
            predicted = model.bind(library).accuracies(unseen)
            errors[name].append(np.sqrt(np.mean((predicted - truth(unseen)) ** 2)))
    assert np.mean(errors["d_optimal"]) < 0.9 * np.mean(errors["uniform"])
    assert np.median(errors["d_optimal"]) < np.median(errors["uniform"])
