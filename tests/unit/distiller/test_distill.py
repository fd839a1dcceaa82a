"""Training many blocks from one reference pass per batch is training each alone; and it can stop anywhere."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

from donna.data import Dataset
from donna.nets.cut import Cut, cut
from donna.nets.nsr import nsr
from donna.nets.weights import dump_state, read_state
from donna.space import Option
from services.distiller import batches
from services.distiller.distill import distill, for_each, passes
from services.distiller.keys import seed_of
from services.distiller.quality import HeldOut, recalibrate_all
from services.distiller.recipe import Recipe
from services.distiller.state import pack, unpack
from services.distiller.statistics import ChannelMoments, add_all, guarded
from services.distiller.student import Student, enrol

from .conftest import CPU, OPTIONS

RECIPE = Recipe(epochs=3, batch_size=32, seed=3)
FULL = (
    "inverted_residual(convolution=grouped,expansion=2,kernel=3)",
    "basic(kernel=3)",
    "fused_inverted_residual(expansion=1,kernel=3)",
)
"""Their kernels have more than one channel and more than one pixel, so how they lie in memory matters."""


def students(cut: Cut, chosen: Sequence[tuple[int, int]], recipe: Recipe = RECIPE) -> list[Student]:
    return [
        enrol(cut, n, Option.parse((*OPTIONS, *FULL)[m]), f"{n}{m}", seed_of(f"{n}{m}", 0), recipe, CPU)
        for n, m in chosen
    ]


ALL = [(n, m) for n in range(4) for m in range(len(OPTIONS))]


def variances(cut: Cut, data: Dataset, pool: ThreadPoolExecutor) -> list[Tensor]:
    moments = [ChannelMoments() for _ in cut.names]
    with passes(cut, batches.statistics(data, RECIPE), CPU, pool) as maps_of_batches:
        for maps in maps_of_batches:
            add_all(moments, maps[1:])
    return [guarded(moment.variance) for moment in moments]


def run(
    cut: Cut,
    data: Dataset,
    taught: list[Student],
    pool: ThreadPoolExecutor,
    *,
    first_step: int = 0,
    until: int | None = None,
    recipe: Recipe = RECIPE,
) -> int:
    steps = recipe.steps(len(data.split("training")))
    dividing_by = variances(cut, data, pool)
    done = first_step
    with passes(cut, batches.training(data, recipe, first_step), CPU, pool) as maps:
        for done in distill(taught, maps, dividing_by, recipe, steps=steps, first_step=first_step, pool=pool):
            if done == until:
                break
    return done


def bits(student: Student) -> bytes:
    return dump_state(student.module.state_dict())


def test_together_is_each_alone(small_cut: Cut, digits: Dataset, pool: ThreadPoolExecutor) -> None:
    together = students(small_cut, ALL)
    assert run(small_cut, digits, together, pool) == 12
    for n, m in ALL:
        alone = students(small_cut, [(n, m)])
        run(small_cut, digits, alone, pool)
        for name, tensor in alone[0].module.state_dict().items():
            other = together[ALL.index((n, m))].module.state_dict()[name]
            torch.testing.assert_close(other, tensor, rtol=1e-5, atol=1e-5)


def test_it_is_plain_training_with_the_nsr(small_cut: Cut, digits: Dataset, pool: ThreadPoolExecutor) -> None:
    """The oracle: the same block in a loop that anyone would write, on maps from running the parts in turn."""
    together = students(small_cut, ALL)
    run(small_cut, digits, together, pool)
    (oracle,) = students(small_cut, [(1, 0)])
    variance = variances(small_cut, digits, pool)[1]
    optimizer = torch.optim.AdamW(oracle.module.parameters(), lr=RECIPE.learning_rate, weight_decay=0.0)
    for step, images in enumerate(batches.training(digits, RECIPE)):
        with torch.no_grad():
            x = small_cut.blocks[0](small_cut.stem(images))
            y = small_cut.blocks[1](x)
        optimizer.param_groups[0]["lr"] = RECIPE.learning_rate_at(step, 12)
        loss = nsr(y, oracle.module(x), variance)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for name, tensor in oracle.module.state_dict().items():
        trained = together[ALL.index((1, 0))].module.state_dict()[name]
        torch.testing.assert_close(trained, tensor, rtol=1e-4, atol=1e-4)


def test_bfloat16_is_nearly_float32(small_cut: Cut, digits: Dataset, pool: ThreadPoolExecutor) -> None:
    """Convolutions and matrix products compute in it; weights and qualities do not."""
    trained = []
    for precision in ("float32", "bfloat16"):
        recipe = Recipe(epochs=3, batch_size=32, seed=3, precision=precision)
        taught = students(small_cut, [(0, 0), (1, 5), (2, 3)], recipe)
        run(small_cut, digits, taught, pool, recipe=recipe)
        held_out = measured(small_cut, digits, taught, pool)
        trained.append(taught)
        assert all(t.dtype == torch.float32 for s in taught for t in s.module.parameters())
        nsrs = [held_out.nsr(s, v) for s, v in zip(taught, variances(small_cut, digits, pool), strict=False)]
        if precision == "float32":
            expected = nsrs
    assert nsrs == pytest.approx(expected, rel=0.1)
    assert bits(trained[0][1]) != bits(trained[1][1])


def test_threads_do_not_change_a_bit(small_cut: Cut, digits: Dataset) -> None:
    results = []
    for threads in (1, 3):
        with ThreadPoolExecutor(threads) as pool:
            taught = students(small_cut, ALL)
            run(small_cut, digits, taught, pool)
            results.append([bits(student) for student in taught])
    assert results[0] == results[1]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("step", [1, 4, 7])
def test_resumed_is_uninterrupted_bit_for_bit(
    small_cut: Cut, digits: Dataset, pool: ThreadPoolExecutor, step: int, optimizer: str
) -> None:
    recipe = Recipe(epochs=2.25, batch_size=32, seed=3, optimizer=optimizer)
    chosen = [(0, 0), (1, 2), (2, 1), (3, 3), (0, 4), (1, 5), (3, 6)]
    whole = students(small_cut, chosen, recipe)
    run(small_cut, digits, whole, pool, recipe=recipe)
    first = students(small_cut, chosen, recipe)
    run(small_cut, digits, first, pool, until=step, recipe=recipe)
    saved = read_state(dump_state(pack(first, step)))
    second = students(small_cut, chosen, recipe)
    assert unpack(second, saved) == step
    run(small_cut, digits, second, pool, first_step=step, recipe=recipe)
    assert [bits(student) for student in second] == [bits(student) for student in whole]


def test_no_pass_is_under_way_behind_passes(
    small_cut: Cut, pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would go on beside what comes next, on the same reference."""
    said: list[str] = []

    def slow(*_: object) -> list[Tensor]:
        said.append("begins")
        time.sleep(0.05)
        said.append("ends")
        return []

    monkeypatch.setattr("services.distiller.distill.feature_maps", slow)
    images = [torch.rand(2, 1, 8, 8)] * 3
    with passes(small_cut, images, CPU, pool) as maps:
        next(maps)
    assert said == ["begins", "ends"] * 2


def test_a_step_that_fails_waits_for_those_beside_it(pool: ThreadPoolExecutor) -> None:
    done: list[int] = []

    def act(number: int) -> None:
        if number == 0:
            raise KeyError
        time.sleep(0.05)
        done.append(number)

    with pytest.raises(KeyError):
        for_each(range(4), pool, act)
    assert sorted(done) == [1, 2, 3]


def test_a_checkpoint_serves_a_part_of_its_group_but_no_other(small_cut: Cut) -> None:
    saved = pack(students(small_cut, [(0, 0), (0, 1)]), 5)
    assert unpack(students(small_cut, [(0, 1)]), saved) == 5
    assert unpack(students(small_cut, [(0, 1), (1, 1)]), saved) == 0
    assert unpack(students(small_cut, [(0, 1)]), {}) == 0


def test_a_loss_that_is_not_finite_ends_its_student_only(
    small_cut: Cut, digits: Dataset, pool: ThreadPoolExecutor
) -> None:
    chosen = [(0, 0), (1, 0), (2, 0)]
    whole = students(small_cut, chosen)
    run(small_cut, digits, whole, pool)
    taught = students(small_cut, chosen)
    with torch.no_grad():
        next(taught[1].module.parameters()).fill_(float("nan"))
    run(small_cut, digits, taught, pool)
    assert "no longer finite by step 12" in taught[1].failed
    assert (taught[0].failed, taught[2].failed) == ("", "")
    assert bits(taught[0]) == bits(whole[0])
    assert bits(taught[2]) == bits(whole[2])
    restored = students(small_cut, chosen)
    unpack(restored, pack(taught, 12))
    assert restored[1].failed == taught[1].failed
    assert restored[1].optimizer is None


def test_batches_are_the_same_from_any_step(digits: Dataset) -> None:
    whole = list(batches.training(digits, RECIPE))
    assert len(whole) == 12
    for first in (1, 4, 11, 12):
        rest = list(batches.training(digits, RECIPE, first))
        assert len(rest) == 12 - first
        assert all(torch.equal(a, b) for a, b in zip(rest, whole[first:], strict=True))
    assert not torch.equal(whole[0], whole[4])


def test_no_image_of_a_batch_that_is_left_out_is_read(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decoding and augmenting are most of what a batch costs, and training starts again at every measured point."""
    read: list[int] = []
    real = digits.source.images
    monkeypatch.setattr(digits.source, "images", lambda rows: (read.append(len(rows)), real(rows))[1])
    assert (
        len(list(batches.training(digits, RECIPE, 6, 11))) == 5
    )  # from the middle of one epoch into the next
    assert read == [32] * 5


def measured(
    cut: Cut, data: Dataset, taught: list[Student], pool: ThreadPoolExecutor, kl: Cut | None = None
) -> HeldOut:
    with passes(cut, batches.calibration(data, RECIPE), CPU, pool) as maps_of_batches:
        recalibrate_all(taught, maps_of_batches, pool)
    held_out = HeldOut(taught, kl)
    with passes(cut, batches.held_out(data, RECIPE), CPU, pool) as maps_of_batches:
        for maps in maps_of_batches:
            held_out.add(maps, pool)
    return held_out


def test_quality_is_the_nsr_on_the_quality_part(
    small_cut: Cut, digits: Dataset, pool: ThreadPoolExecutor
) -> None:
    taught = students(small_cut, [(2, 0), (2, 3)])
    run(small_cut, digits, taught, pool)
    variance = variances(small_cut, digits, pool)[2]
    held_out = measured(small_cut, digits, taught, pool)
    with torch.no_grad():
        images = torch.cat(list(batches.held_out(digits, RECIPE)))
        maps = small_cut.feature_maps(images)
        expected = nsr(maps[3], taught[0].module(maps[2]), variance)
    assert held_out.nsr(taught[0], variance) == pytest.approx(expected.item(), rel=1e-4)
    assert held_out.nsr(taught[1], variance) == pytest.approx(0, abs=1e-9)


class Hasty(nn.Module):
    """A reference whose blocks work in place, as torchvision's often do."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.first = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3, padding=1))
        self.second = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3, padding=1))
        self.head = nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.second(self.first(self.stem(x))).mean(dim=(2, 3)))


def test_the_references_own_block_leaves_the_maps_of_others_alone(pool: ThreadPoolExecutor) -> None:
    torch.manual_seed(0)
    hasty = cut(Hasty(), ("first", "second"), (1, 8, 8))
    own, skip = (enrol(hasty, 1, Option.of(f), f, 0, RECIPE, CPU) for f in ("reference", "skip"))
    maps = hasty.feature_maps(torch.rand(2, 1, 8, 8))
    before = [y.clone() for y in maps]
    held_out = HeldOut([own, skip])
    held_out.add(maps, pool)
    assert all(torch.equal(a, b) for a, b in zip(maps, before, strict=True))
    assert held_out.nsr(own, torch.ones(4)) < 1e-9 < held_out.nsr(skip, torch.ones(4))


class HastyHead(nn.Module):
    """Behind its only block it goes on in place: vgg16 cut in the middle of its features."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Sequential(
            nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.block(self.stem(x)))


def test_a_head_that_begins_in_place_leaves_the_targets_of_students_alone(pool: ThreadPoolExecutor) -> None:
    torch.manual_seed(0)
    hasty = cut(HastyHead(), ("block",), (1, 8, 8))
    own, skip = (enrol(hasty, 0, Option.of(f), f, 0, RECIPE, CPU) for f in ("reference", "skip"))
    maps = hasty.feature_maps(torch.rand(2, 1, 8, 8))
    before = [y.clone() for y in maps]
    held_out = HeldOut([own, skip], hasty)
    held_out.add(maps, pool)
    assert all(torch.equal(a, b) for a, b in zip(maps, before, strict=True))
    assert held_out.nsr(own, torch.ones(4)) < 1e-9
    assert held_out.divergence(own) < 1e-9 < held_out.divergence(skip)


def test_longer_training_gives_better_quality(
    small_cut: Cut, digits: Dataset, pool: ThreadPoolExecutor
) -> None:
    scores = []
    for epochs in (1, 12):
        recipe = Recipe(epochs=epochs, batch_size=32, seed=3)
        taught = students(small_cut, [(n, 0) for n in range(4)], recipe)
        run(small_cut, digits, taught, pool, recipe=recipe)
        held_out = measured(small_cut, digits, taught, pool)
        scores.append(
            [held_out.nsr(s, v) for s, v in zip(taught, variances(small_cut, digits, pool), strict=True)]
        )
    assert all(late < early for early, late in zip(*scores, strict=True))


def test_divergence_is_that_of_the_reference_with_one_block_replaced(
    small_cut: Cut, digits: Dataset, pool: ThreadPoolExecutor
) -> None:
    from donna.nets.network import assemble, load_block

    taught = students(small_cut, [(1, 0), (3, 3)])
    held_out = measured(small_cut, digits, taught, pool, kl=small_cut)
    options = [Option.of("reference")] * 4
    options[1] = taught[0].option
    network = assemble(small_cut, options)
    load_block(network, 1, taught[0].module.state_dict())
    with torch.no_grad():
        images = torch.cat(list(batches.held_out(digits, RECIPE)))
        p = small_cut.model(images).double().log_softmax(1)
        q = network(images).double().log_softmax(1)
    expected = (p.exp() * (p - q)).sum(1).mean().item()
    assert held_out.divergence(taught[0]) == pytest.approx(expected, rel=1e-3)
    assert held_out.divergence(taught[1]) == pytest.approx(0, abs=1e-9)
