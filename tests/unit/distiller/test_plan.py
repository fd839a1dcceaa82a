"""Groups: everything once, nothing that is known, within the budget where that is possible, of about equal work."""

from __future__ import annotations

import random

import pytest

from donna.errors import InvalidArgument
from donna.nets.costs import Costs, count
from donna.nets.cut import Cut
from donna.space import Option
from services.distiller.plan import Plan, make_plan
from services.distiller.variants import Variant, shared_bytes, variants

from .conftest import OPTIONS


def variant(m: int, weight_bytes: int = 100, activation_bytes: int = 10, macs: int = 100) -> Variant:
    costs = Costs(parameters=0, macs=macs, weight_bytes=weight_bytes, activation_bytes=activation_bytes)
    return Variant(n=0, m=m, option=Option.of("skip"), key=f"key {m}", costs=costs)


def plan(
    found: list[Variant],
    budget: int = 10**9,
    known: tuple[str, ...] = (),
    workers: int = 1,
    reference: int = 1,
) -> Plan:
    made = make_plan(
        found,
        known,
        budget_bytes=budget,
        shared_bytes=1000,
        reference_macs=reference,
        batch_size=2,
        threads=2,
        workers=workers,
    )
    assert made.memory_bytes <= budget or all(len(group) == 1 for group in made.groups)
    trained = sorted(v.m for group in made.groups for v in group)
    assert trained == sorted({v.m for v in found if v.key not in known}), "everything once"
    assert all(made.groups), "and no group for nothing"
    return made


def grouped(budget: int, known: tuple[str, ...] = ()) -> list[list[int]]:
    made = plan([variant(m) for m in range(6)], budget, known)
    return [[v.m for v in group] for group in made.groups]


def work(made: Plan) -> list[int]:
    return [sum(v.work_macs for v in group) for group in made.groups]


def test_a_large_budget_needs_one_group() -> None:
    assert grouped(10_000) == [[0, 1, 2, 3, 4, 5]]


def test_a_smaller_budget_makes_more_groups() -> None:
    # 1000 shared, 400 for each variant, 120 for each of two steps at once.
    assert [len(group) for group in grouped(1000 + 2 * 400 + 240)] == [2, 2, 2]


def test_a_budget_below_one_variant_still_trains_each() -> None:
    assert sorted(grouped(1)) == [[0], [1], [2], [3], [4], [5]]


def test_known_blocks_are_reused() -> None:
    assert grouped(10_000, ("key 1", "key 4")) == [[0, 2, 3, 5]]
    everything = tuple(f"key {m}" for m in range(6))
    assert grouped(10_000, everything) == []


def test_workers_share_the_work_evenly_and_the_most_comes_first() -> None:
    rng = random.Random(0)
    found = [variant(m, macs=rng.randrange(1, 1000)) for m in range(200)]
    for workers in (2, 3, 8, 64):
        shares = work(plan(found, workers=workers))
        assert len(shares) == workers and shares == sorted(shares, reverse=True)
        best = max(sum(shares) / workers, max(v.work_macs for v in found))  # no plan has less for its busiest
        assert shares[0] <= 4 / 3 * best


def test_a_group_is_worth_its_passes_of_the_reference() -> None:
    found = [variant(m) for m in range(60)]  # 300 multiply-adds of training each
    assert len(plan(found, workers=64, reference=3000).groups) == 6
    assert len(plan(found, workers=64, reference=10**9).groups) == 1


def test_more_workers_than_blocks_get_a_block_each() -> None:
    assert len(plan([variant(m) for m in range(5)], workers=64).groups) == 5


def test_groups_that_memory_asks_for_are_few_and_none_has_more_than_a_share_of_the_work() -> None:
    rng = random.Random(1)
    found = [variant(m, activation_bytes=10 + m, macs=rng.randrange(50, 150)) for m in range(100)]
    rng.shuffle(found)
    # 400 for each variant and the two largest steps of its group: 40 to 42 groups of 2 or 3, as few as there can be.
    budget = 1000 + 2 * 400 + 12 * (109 + 108)
    alone = plan(found, budget)
    assert len(alone.groups) <= sum(v.resident_bytes for v in found) / (budget - 1000 - 12 * 217) + 1
    shared = plan(found, 1000 + 60 * 400 + 12 * 217, workers=4)
    assert 4 <= len(shared.groups) <= 6
    assert max(work(shared)) <= 4 / 3 * sum(work(shared)) / 4


def test_costs_are_those_of_the_built_blocks(small_cut: Cut) -> None:
    from donna.nets import families

    options = [[Option.parse(text) for text in OPTIONS]] * 4
    for v in variants(small_cut, options, lambda n, option: f"{n}{option}"):
        block = families.build(
            v.option, small_cut.input_shapes[v.n], small_cut.output_shapes[v.n], small_cut.blocks[v.n]
        )
        assert v.costs == count(block, small_cut.input_shapes[v.n])


def test_large_blocks_are_counted_without_memory(small_cut: Cut, monkeypatch: pytest.MonkeyPatch) -> None:
    from services.distiller import variants as module

    options = [[Option.parse(text) for text in OPTIONS]] * 4
    real = [v.costs for v in variants(small_cut, options, lambda n, option: "")]
    monkeypatch.setattr(module, "_SMALL_MAP", 0)
    assert [v.costs for v in variants(small_cut, options, lambda n, option: "")] == real


def test_an_option_that_does_not_fit_names_its_place(small_cut: Cut) -> None:
    options = [[Option.of("skip")]] * 3 + [[Option.of("skip"), Option.of("inverted_residual", {"kernel": 3})]]
    with pytest.raises(InvalidArgument, match=r"blocks\[3\].options\[1\].expansion"):
        variants(small_cut, options, lambda n, option: "")


def test_shared_memory_grows_with_the_batch(small_cut: Cut) -> None:
    costs = count(small_cut.model, small_cut.input_shape)
    assert shared_bytes(small_cut, costs, 64) > shared_bytes(small_cut, costs, 32) > 0
