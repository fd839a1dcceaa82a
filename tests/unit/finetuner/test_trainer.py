"""What one network's trouble leaves standing, and which images are read when."""

import errno
import os

import numpy as np
import pytest
import torch

from donna.data import digits, load
from donna.data.dataset import Dataset
from donna.errors import FailedPrecondition, ResourceExhausted, Unavailable
from donna.space import Architecture
from services.finetuner import export, quantize, replica, train, trainer, workshop
from services.finetuner.recipe import Recipe
from services.finetuner.replicas import train_in_group
from services.finetuner.request import ExportSettings, NetworkRequest, Request
from services.finetuner.work import FinetuneWork

from .conftest import DATASET
from .test_checkpoints import Report, running, task


def too_much(*arguments, **named):
    torch.empty(1 << 50)


def run(world, report, **changed):
    """The result of one short training with both models."""
    fields = {
        "library": world.library_sha256,
        "reference": world.reference,
        "dataset": DATASET,
        "networks": (NetworkRequest(architecture=Architecture(choices=(0, 0, 2, 0))),),
        "recipe": Recipe(epochs=1, learning_rate=1e-3, seed=5),
        "evaluate_on": "test",
        "export": ExportSettings(int8=True),
        **changed,
    }
    work = FinetuneWork(world.store, None, device="cpu")
    (spec,) = work.tasks(work.admission.admit(Request(**fields)).to_dict())
    return work.run(running(spec), report)


def test_test_images_are_read_once_and_last(world, monkeypatch):
    reads = []
    real = Dataset.read

    def reading(self, rows, rng=None):
        reads.append(rows)
        return real(self, rows, rng)

    monkeypatch.setattr(Dataset, "read", reading)
    result = run(world, Report())
    assert result["model"]["num_samples"] == result["int8_model"]["num_samples"] == 256 + 300
    test, order = set(load(DATASET).split("test").rows.tolist()), np.concatenate(reads).tolist()
    assert sorted(test) == sorted(row for row in order if row in test)
    assert set(order[-len(test) :]) == test


def test_data_that_changed_since_it_was_asked_for_is_not_trained_on(world, monkeypatch):
    """What was made of it would be remembered as made of the old."""
    work, report = FinetuneWork(world.store, None, device="cpu"), Report()
    asked = task(world, work)
    work.run(asked, report)  # a worker that has the old data in hand
    monkeypatch.setattr(digits._digits(), "identity", "other images")
    with pytest.raises(FailedPrecondition, match="are not what they were when this was asked for"):
        FinetuneWork(world.store, None, device="cpu").run(asked, Report())
    work.run(task(world, work), report)
    assert len(report.results) == 4  # weights and pace, of either


@pytest.mark.parametrize("place", ["build", "train", "count"])
def test_out_of_memory_is_the_trouble_of_one_network(world, monkeypatch, place):
    owner = {"build": workshop.Workshop, "train": workshop, "count": trainer.costs}[place]
    monkeypatch.setattr(owner, place, too_much)
    report = Report()
    result = run(world, report, export=None)
    assert result["error"] == {
        "reason": "OUT_OF_MEMORY",
        "message": "0-0-2-0 does not fit into memory with batches of 64; make batch_size smaller",
    }
    assert ("artifact" in result) == (place == "count"), "what was trained is not lost"
    monkeypatch.undo()
    assert "error" not in run(world, report, export=None)


def test_a_network_that_cannot_be_exported_keeps_its_weights_and_its_accuracy(world, monkeypatch):
    monkeypatch.setattr(export, "to_onnx", lambda *_, **__: b"no model")
    result = run(world, Report())
    assert result["error"]["reason"] == "EXPORT_FAILED"
    assert world.store.has(result["artifact"]["sha256"])
    assert 0 < result["accuracy"] < 1
    assert "model" not in result


@pytest.mark.parametrize("broken", ["_quantized", "_finish"])
def test_a_network_that_cannot_be_quantised_keeps_its_float_model(world, monkeypatch, broken):
    monkeypatch.setattr(quantize, broken, lambda *_: b"no model")
    result = run(world, Report())
    assert result["int8_error"]["reason"] == "QUANTISATION_FAILED"
    assert "error" not in result
    assert world.store.has(result["model"]["onnx"]["sha256"])


@pytest.mark.parametrize(("owner", "place"), [(export, "to_onnx"), (quantize, "_quantize")])
def test_memory_that_runs_out_in_an_export_is_not_remembered_as_what_the_network_is(
    world, monkeypatch, owner, place
):
    monkeypatch.setattr(owner, place, too_much)
    result = run(world, Report())
    assert result["error"]["reason"] == "OUT_OF_MEMORY"
    assert "int8_error" not in result


def test_a_full_disk_is_not_remembered_as_a_network_that_cannot_be_quantised(world, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(quantize, "_quantize", full)
    with pytest.raises(ResourceExhausted, match="No space left on device") as caught:
        run(world, Report())
    assert caught.value.reason == "DISK_FULL"


def unavailable(*_):
    raise Unavailable("the object store does not answer", reason="ARTIFACTS_AWAY", retry_after_s=3)


def diverged(*_):
    raise train.Diverged("the loss became nan in epoch 1")


@pytest.mark.parametrize(
    ("failing", "kind", "reason", "after"),
    [
        (too_much, MemoryError, None, None),
        (unavailable, Unavailable, "ARTIFACTS_AWAY", 3),
        (diverged, train.Diverged, "DIVERGED", None),
    ],
)
def test_what_a_process_of_a_group_raises_is_raised_by_the_group(
    tmp_path, monkeypatch, failing, kind, reason, after
):
    """The engine tries again after some, and others are of this network alone."""
    for name, value in (
        ("MASTER_ADDR", "127.0.0.1"),
        ("MASTER_PORT", "0"),
        ("RANK", "0"),
        ("WORLD_SIZE", "1"),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(replica, "_train", failing)
    monkeypatch.setattr("sys.argv", ["replica", str(tmp_path)])
    with pytest.raises(SystemExit, match="1"):
        replica.main()
    torch.distributed.destroy_process_group()
    said = (tmp_path / "error.json").read_text()
    code = f"import pathlib, sys; pathlib.Path(sys.argv[-1], 'error.json').write_text({said!r}); sys.exit(1)"
    with pytest.raises(kind) as caught:
        train_in_group({}, 2, resume=None, on_step=print, on_checkpoint=print, prefix=["-c", code])
    assert type(caught.value) is kind
    assert (getattr(caught.value, "reason", None), getattr(caught.value, "retry_after_s", None)) == (
        reason,
        after,
    )
