"""Two processes train one network as one process does, to within rounding; and go on where they were stopped."""

from __future__ import annotations

import os
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from donna.errors import InvalidArgument
from donna.nets import weights
from donna.space import Architecture
from services.finetuner.materials import Materials
from services.finetuner.recipe import Recipe
from services.finetuner.replicas import train_in_group
from services.finetuner.request import NetworkRequest, Request
from services.finetuner.work import processes
from services.finetuner.workshop import Workshop

from .conftest import DATASET


@pytest.mark.slow
def test_two_processes_equal_one(world, tmp_path, monkeypatch):
    recipe = Recipe(
        epochs=2, batch_size=64, learning_rate=1e-3, optimizer="sgd", soft_weight=0.5, processes=2
    )
    request = Request(
        library=world.library_sha256,
        reference=world.reference,
        dataset=DATASET,
        networks=(NetworkRequest(architecture=Architecture(choices=(0, 1, 2, 0))),),
        recipe=recipe,
        evaluate_on="validation",
        export=None,
    )
    monkeypatch.setenv("DONNA_FINETUNER_ARTIFACTS", str(world.store._path("0" * 64).parent.parent))
    monkeypatch.setenv("DONNA_FINETUNER_STATE", str(tmp_path))
    monkeypatch.setenv("DONNA_FINETUNER_DEVICE", "cpu")
    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    steps, checkpoints = [], []

    def in_two(resume=None):
        return train_in_group(
            request.to_dict(),
            2,
            resume=resume,
            on_step=lambda done, total: steps.append((done, total)),
            on_checkpoint=checkpoints.append,
        )

    trained = in_two()
    assert processes(SimpleNamespace(spec=request.to_dict())) == 2, "what a pod of its Job has GPUs for"
    alone = replace(request, recipe=replace(recipe, processes=1))
    workshop = Workshop(Materials(world.store, None, torch.device("cpu")))
    network = workshop.build(alone, alone.networks[0])
    start = weights.read_state(weights.dump(network))
    workshop.train(network, alone, resume=None, on_step=lambda *_: None, on_epoch=lambda *_: None)
    one, two = weights.read_state(weights.dump(network)), weights.read_state(trained)
    assert one.keys() == two.keys()
    moved = max(float((one[name] - start[name]).abs().max()) for name in one if one[name].is_floating_point())
    for name, tensor in one.items():
        torch.testing.assert_close(
            two[name], tensor, rtol=1e-3, atol=1e-4, msg=lambda m, name=name: f"{name}: {m}"
        )
    assert moved > 1e-2
    assert all(total == 16 for _, total in steps)

    steps.clear()
    again = in_two(resume=checkpoints[0])  # of the first of two epochs
    assert min(done for done, _ in steps) > 8
    assert again == trained


def test_processes_must_divide_the_batch(world):
    request = Request(
        library=None,
        reference=world.reference,
        dataset=DATASET,
        networks=(NetworkRequest(architecture=None),),
        recipe=Recipe(batch_size=64, processes=3, soft_weight=0),
        evaluate_on="validation",
        export=None,
    )
    with pytest.raises(InvalidArgument, match=r"recipe\.processes: must divide batch_size 64, got 3"):
        request.check()
