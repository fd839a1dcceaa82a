"""Training improves, is deterministic, and resumes bit-identically; stitching puts the right parts together."""

import numpy as np
import pytest
import torch
from torch import nn

from donna.data import load
from donna.errors import FailedPrecondition
from donna.nets import weights
from donna.space import Architecture
from services.finetuner import assembly
from services.finetuner.checkpoint import Checkpoint
from services.finetuner.evaluate import logits
from services.finetuner.group import Group
from services.finetuner.recipe import Recipe
from services.finetuner.teacher import LiveTeacher, StoredTeacher, teacher
from services.finetuner.train import Diverged, calibrate, train

from .conftest import DATASET, evaluated

RECIPE = Recipe(epochs=3, batch_size=64, learning_rate=5e-3, soft_weight=0.5)


@pytest.fixture(scope="module")
def dataset():
    return load(DATASET)


@pytest.fixture
def network(world):
    return assembly.stitch(
        world.cut, world.library, Architecture(choices=(0, 1, 2, 0)), world.store.get_bytes
    )


def test_a_stitched_network_is_its_parts_in_a_row(world, network, dataset):
    images, _ = next(dataset.split("validation").batches(8))
    y = world.cut.stem(images)
    for n, m in enumerate((0, 1, 2, 0)):
        y = world.blocks[n, m](y)
    with torch.no_grad():
        torch.testing.assert_close(network(images), world.cut.head(y))


def test_finetuning_a_stitched_network_improves_it(world, network, dataset):
    part = dataset.split("training")
    calibrate(network, part, 0)
    before = evaluated(network, dataset.split("validation"))
    train(network, part, RECIPE, teacher(world.cut.model, part))
    after = evaluated(network, dataset.split("validation"))
    assert after.accuracy > before.accuracy + 0.2
    assert after.loss < before.loss
    assert not network.training


def test_the_reference_is_not_touched_by_training_networks_from_it(world, network, dataset):
    before = weights.dump(world.cut.model)
    train(network, dataset.split("training"), RECIPE, None)
    assert weights.dump(world.cut.model) == before


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_resuming_is_bit_identical(world, dataset, optimizer, ema_decay):
    augmented = load({**DATASET, "augment": [{"name": "random_shift", "arguments": {"pixels": 1}}]})
    part = augmented.split("training")
    recipe = Recipe(epochs=3.5, learning_rate=1e-3, ema_decay=ema_decay, optimizer=optimizer, soft_weight=0.5)
    architecture = Architecture(choices=(0, 1, 2, 0))
    saved = []

    def run(resume=None):
        network = assembly.stitch(world.cut, world.library, architecture, world.store.get_bytes)
        train(
            network,
            part,
            recipe,
            teacher(world.cut.model, part),
            resume=resume,
            on_epoch=lambda checkpoint: saved.append((checkpoint.epoch, checkpoint.dump())),
        )
        return weights.dump(network)

    whole = run()
    assert [epoch for epoch, _ in saved] == [1, 2, 3]
    torch.rand(3)
    assert run(Checkpoint.read(saved[1][1])) == whole
    assert run() == whole


def test_stored_and_live_teacher_agree(world, dataset):
    part = dataset.split("training")
    stored, live = StoredTeacher(world.cut.model, part), LiveTeacher(world.cut.model)
    positions = part.positions(50, 3)[0]
    images, _ = next(part.batches(50, 3))
    torch.testing.assert_close(stored.targets(images, positions), live.targets(images, positions))


def test_evaluation_is_what_numpy_says(world, dataset):
    part = dataset.split("test")
    z = logits(world.cut.model, part).double().numpy()
    found = evaluated(world.cut.model, part)
    assert found.accuracy == pytest.approx((z.argmax(axis=1) == part.labels).mean())
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    assert found.loss == pytest.approx(-log_p[np.arange(len(z)), part.labels].mean())


def test_a_network_that_diverges_says_so(world, network, dataset):
    with pytest.raises(Diverged, match=r"the loss became (nan|inf) in epoch \d"):
        train(network, dataset.split("training"), Recipe(epochs=4, learning_rate=100, optimizer="sgd"), None)


def test_weights_that_the_last_step_broke_are_seen(world, network, dataset):
    """The loss of that step was computed before it."""
    recipe = Recipe(epochs=1, batch_size=512, learning_rate=1e38, optimizer="sgd", warmup_fraction=0)
    with pytest.raises(Diverged, match="is no longer finite after the last step"):
        train(network, dataset.split("training"), recipe, None)


def test_statistics_are_of_whole_batches_alone(world, network):
    """The last batch here is one image, which a layer behind 1x1 maps cannot normalise, and must not count as much."""
    split = {**DATASET["split"], "training": 257, "quality": 64}
    part = load({**DATASET, "split": split}).split("training")
    calibrate(network, part, 3)
    seen = []
    network.register_forward_pre_hook(lambda _, images: seen.append(len(images[0])))
    calibrate(network, part, 3)
    assert seen == [128, 128]


def test_more_than_logits_in_training_is_refused(dataset):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(64, 10)

        def forward(self, x):
            logits = self.layer(x.flatten(1))
            return (logits, logits) if self.training else logits

    with pytest.raises(FailedPrecondition, match="gives a tuple in training"):
        train(Two(), dataset.split("training"), RECIPE, None)


def test_processes_draw_different_numbers(network, dataset):
    def first(rank):
        seeds = []

        def on_step(*_):
            seeds.append(torch.initial_seed())

        group = Group(rank=rank, size=1)
        recipe = Recipe(epochs=1, batch_size=64, seed=7)
        train(network, dataset.split("training"), recipe, None, group=group, on_step=on_step)
        return seeds[0]

    assert first(0) == 7 * 1_000_003
    assert len({first(rank) for rank in range(3)}) == 3


def test_logits_that_are_too_many_are_not_kept(world, dataset, monkeypatch):
    part = dataset.split("training")
    assert isinstance(teacher(world.cut.model, part), StoredTeacher)
    monkeypatch.setattr("services.finetuner.teacher.STORED_BYTES", 512 * 10 * 4 - 1)
    assert isinstance(teacher(world.cut.model, part), LiveTeacher)


def test_from_scratch_shares_no_weights_with_the_library(world):
    architecture = Architecture(choices=(0, 0, 0, 0))
    network = assembly.from_scratch(world.reference, world.library, architecture, 3)
    stitched = assembly.stitch(world.cut, world.library, architecture, world.store.get_bytes)
    theirs = dict(stitched.named_parameters())
    matrices = {name: p for name, p in network.named_parameters() if p.ndim > 1}
    assert matrices
    assert not any(torch.equal(p, theirs[name]) for name, p in matrices.items())
