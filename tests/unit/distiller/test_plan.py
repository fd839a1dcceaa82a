"""Groups: everything once, nothing that is known, within the budget where that is possible."""

from __future__ import annotations

import pytest

from donna.errors import InvalidArgument
from donna.nets.costs import Costs, count
from donna.nets.cut import Cut
from donna.space import Option
from services.distiller.plan import Variant, make_plan, shared_bytes, variants

from .conftest import OPTIONS


def variant(m: int, weight_bytes: int = 100, activation_bytes: int = 10) -> Variant:
    costs = Costs(parameters=0, macs=0, weight_bytes=weight_bytes, activation_bytes=activation_bytes)
    return Variant(n=0, m=m, option=Option.of("skip"), key=f"key {m}", costs=costs)


def grouped(budget: int, known: tuple[str, ...] = ()) -> list[list[int]]:
    made = make_plan(
        [variant(m) for m in range(6)], known, budget_bytes=budget, shared_bytes=1000, batch_size=2, threads=2
    )
    assert made.memory_bytes <= budget or all(len(group) == 1 for group in made.groups)
    return [[v.m for v in group] for group in made.groups]


def test_a_large_budget_needs_one_group() -> None:
    assert grouped(10_000) == [[0, 1, 2, 3, 4, 5]]


def test_a_smaller_budget_makes_more_groups() -> None:
    # 1000 shared, 400 for each variant, 120 for each of two steps at once.
    assert grouped(1000 + 2 * 400 + 240) == [[0, 1], [2, 3], [4, 5]]


def test_a_budget_below_one_variant_still_trains_each() -> None:
    assert grouped(1) == [[0], [1], [2], [3], [4], [5]]


def test_known_blocks_are_reused() -> None:
    assert grouped(10_000, ("key 1", "key 4")) == [[0, 2, 3, 5]]
    everything = tuple(f"key {m}" for m in range(6))
    assert grouped(10_000, everything) == []


def test_costs_are_those_of_the_built_blocks(small_cut: Cut) -> None:
    from donna.nets import families

    options = [[Option.parse(text) for text in OPTIONS]] * 4
    for v in variants(small_cut, options, lambda n, option: f"{n}{option}"):
        block = families.build(
            v.option, small_cut.input_shapes[v.n], small_cut.output_shapes[v.n], small_cut.blocks[v.n]
        )
        assert v.costs == count(block, small_cut.input_shapes[v.n])


def test_large_blocks_are_counted_without_memory(small_cut: Cut, monkeypatch: pytest.MonkeyPatch) -> None:
    from services.distiller import plan

    options = [[Option.parse(text) for text in OPTIONS]] * 4
    real = [v.costs for v in variants(small_cut, options, lambda n, option: "")]
    monkeypatch.setattr(plan, "_SMALL_MAP", 0)
    assert [v.costs for v in variants(small_cut, options, lambda n, option: "")] == real


def test_an_option_that_does_not_fit_names_its_place(small_cut: Cut) -> None:
    options = [[Option.of("skip")]] * 3 + [[Option.of("skip"), Option.of("inverted_residual", {"kernel": 3})]]
    with pytest.raises(InvalidArgument, match=r"blocks\[3\].options\[1\].expansion"):
        variants(small_cut, options, lambda n, option: "")


def test_shared_memory_grows_with_the_batch(small_cut: Cut) -> None:
    assert shared_bytes(small_cut, 64) > shared_bytes(small_cut, 32) > 0
