"""Groups: everything once, nothing that is known, within the budget where that is possible, of about equal work."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from donna.errors import InvalidArgument
from donna.nets import families, references
from donna.nets.costs import Costs, count
from donna.nets.cut import Cut, cut
from donna.nets.families import Family, Place
from donna.space import Option
from services.distiller.plan import Plan, make_plan
from services.distiller.recipe import Recipe
from services.distiller.student import enrol
from services.distiller.variants import Variant, shared_bytes, variants

from .conftest import CPU, OPTIONS, STAGES


def variant(m: int, weight_bytes: int = 100, activation_bytes: int = 10, macs: int = 100) -> Variant:
    costs = Costs(parameters=0, macs=macs, weight_bytes=weight_bytes, activation_bytes=activation_bytes)
    return Variant(
        n=0, m=m, option=Option.of("skip"), key=f"key {m}", costs=costs, kept_bytes=5 * activation_bytes
    )


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
    # 1000 shared, 400 for each variant, 900 for it in a checkpoint: more than 120 for each of two steps at once.
    assert [len(group) for group in grouped(1000 + 2 * (400 + 900))] == [2, 2, 2]
    light = [variant(m, weight_bytes=1) for m in range(6)]  # here the steps are more
    assert [len(group) for group in plan(light, 1000 + 2 * 4 + 240).groups] == [2, 2, 2]


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
    shared = plan(found, 1000 + 60 * (400 + 900), workers=4)
    assert 4 <= len(shared.groups) <= 6
    assert max(work(shared)) <= 4 / 3 * sum(work(shared)) / 4


def test_costs_are_those_of_the_built_blocks(small_cut: Cut) -> None:
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


FAMILIES = (
    "basic(kernel=3)",
    "bottleneck(kernel=3)",
    "convnext(expansion=4)",
    "fused_inverted_residual(expansion=2,kernel=3)",
    "inverted_residual(activation=silu,attention=squeeze_excite,depth=4,expansion=6,kernel=5)",
)


class Alive(TorchDispatchMode):
    """The most bytes of results that were alive at once."""

    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak_bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        self.stored = {k: (ref, size) for k, (ref, size) in self.stored.items() if not ref.expired()}
        for tensor in tree_leaves(output):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                self.stored[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
        self.peak_bytes = max(self.peak_bytes, sum(size for _, size in self.stored.values()))
        return output


def test_the_memory_of_a_step_is_bounded_closely() -> None:
    """Forward and backward, as they run: the estimate is not below, and not far above."""
    torch.manual_seed(0)
    arguments = {"in_channels": 1, "num_classes": 10, "widths": [16, 16, 24, 24]}
    whole = cut(references.build({"provider": "small_cnn", "arguments": arguments}), STAGES, (1, 16, 16))
    found = variants(whole, [[Option.parse(text) for text in FAMILIES]] * 4, lambda n, option: "")
    for v in found:
        student = enrol(whole, v.n, v.option, "", 0, Recipe(), CPU)
        x, y = (torch.rand(16, *shape) for shape in (whole.input_shapes[v.n], whole.output_shapes[v.n]))
        student.optimizer.step = lambda: None  # type: ignore[union-attr,method-assign] # its moments are resident
        with Alive() as alive:
            student.step(x, y, torch.ones(len(y[0])), 1e-3)
        gradients = v.costs.weight_bytes  # resident, too
        assert alive.peak_bytes - gradients <= 16 * v.step_bytes <= 1.6 * alive.peak_bytes, (v.n, v.option)


def test_a_block_that_overwrites_its_input_is_refused(
    small_cut: Cut, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All options of a block read the same feature map."""

    def build(place: Place) -> nn.Module:
        return nn.Sequential(nn.ReLU(inplace=True), nn.BatchNorm2d(8))

    hasty = Family(name="hasty", about="", parameters=(), build=build)
    monkeypatch.setitem(families.REGISTRY._things, "hasty", hasty)
    options = [[Option.of("skip"), Option.of("hasty")], *[[Option.of("skip")]] * 3]
    with pytest.raises(InvalidArgument, match=r"blocks\[0\].options\[1\]: overwrites its input"):
        variants(small_cut, options, lambda n, option: "")


def test_an_option_that_does_not_fit_names_its_place(small_cut: Cut) -> None:
    options = [[Option.of("skip")]] * 3 + [[Option.of("skip"), Option.of("inverted_residual", {"kernel": 3})]]
    with pytest.raises(InvalidArgument, match=r"blocks\[3\].options\[1\].expansion"):
        variants(small_cut, options, lambda n, option: "")


def test_shared_memory_grows_with_the_batch(small_cut: Cut) -> None:
    costs = count(small_cut.model, small_cut.input_shape)
    assert shared_bytes(small_cut, costs, 64) > shared_bytes(small_cut, costs, 32) > 0
