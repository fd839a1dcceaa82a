"""A task that was stopped goes on from its last checkpoint and ends as if it had not been."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from donna.errors import Cancelled, ResourceExhausted
from donna.jobs import Task, TaskState
from donna.nets import weights
from donna.space import Architecture
from services.finetuner import trainer
from services.finetuner.recipe import Recipe
from services.finetuner.request import NetworkRequest, Request
from services.finetuner.work import FinetuneWork

from .conftest import DATASET


class Report:
    """What a task says, kept; `stop_after` steps it is cancelled."""

    def __init__(self, stop_after=None, state=None):
        self.stop_after, self.state, self.steps, self.results, self.costs = stop_after, state, [], {}, {}

    def progress(self, done, total, message=""):
        self.steps.append(done)
        if self.stop_after is not None and len(self.steps) > self.stop_after:
            raise Cancelled("stopped")

    def recall(self, keys):
        return {key: self.results[key] for key in keys if key in self.results}

    def remember(self, key, result, **counters):
        self.results[key] = result
        self.costs.update(counters)
        return True

    def cost(self, **counters):
        self.costs.update(counters)

    def save(self, state):
        self.state = state

    def saved(self):
        return self.state


def task(world, work, **recipe):
    request = Request(
        library=world.library_sha256,
        reference=world.reference,
        dataset=DATASET,
        networks=(NetworkRequest(architecture=Architecture(choices=(0, 0, 2, 0))),),
        recipe=Recipe(**{"epochs": 4, "batch_size": 64, "learning_rate": 1e-3, "seed": 5, **recipe}),
        evaluate_on="validation",
        export=None,
    )
    (spec,) = work.tasks(work.admission.admit(request).to_dict())
    return running(spec)


def running(spec):
    """The task of a specification, as a worker has it in hand."""
    return Task(
        job="finetuneJobs/1", index=0, key=spec.key, spec=spec.spec, label=spec.label, units=spec.units,
        state=TaskState.RUNNING, attempt=1, fence=1, reused=False, result=None, error=None,
    )  # fmt: skip


def test_a_stopped_task_goes_on_and_ends_the_same(world):
    work = FinetuneWork(world.store, None, device="cpu", checkpoint_interval_s=0)
    asked = task(world, work)
    whole = Report()
    expected = work.run(asked, whole)

    stopped = Report(stop_after=20)
    with pytest.raises(Cancelled):
        work.run(asked, stopped)
    assert world.store.has(stopped.state["checkpoint"])
    resumed = Report(state=stopped.state)
    result = work.run(asked, resumed)
    assert resumed.steps[0] == 17  # the third epoch: 8 steps each, 20 were done
    assert result["artifact"] == expected["artifact"]
    assert result["accuracy"] == expected["accuracy"]
    assert not world.store.has(resumed.state["checkpoint"])  # nothing is left behind
    assert resumed.costs["networks_trained"] == 1


@pytest.fixture(autouse=True)
def _written_as_often_as_asked(monkeypatch):
    monkeypatch.setattr("donna.checkpoints.WRITING_SHARE", 0)


def test_a_store_that_cannot_be_written_fails_the_task_and_a_later_one_succeeds(world, monkeypatch):
    def full(data):
        raise ResourceExhausted("the artifact store cannot be written: No space left on device")

    work, report = FinetuneWork(world.store, None, device="cpu"), Report()
    asked = task(world, work)
    with monkeypatch.context() as patched:
        patched.setattr(world.store, "put_bytes", full)
        with pytest.raises(ResourceExhausted, match="No space left on device"):
            work.run(asked, report)
    assert report.results == {}  # nothing is remembered that is not stored
    assert world.store.has(work.run(asked, report)["artifact"]["sha256"])


def test_a_known_training_is_not_repeated(world):
    work = FinetuneWork(world.store, None, device="cpu")
    asked = task(world, work)
    report = Report()
    first = work.run(asked, report)
    again = Report()
    again.results = report.results
    assert work.run(replace(asked, job="finetuneJobs/2"), again)["artifact"] == first["artifact"]
    assert again.steps == []
    assert again.costs == {"networks_reused": 1}


def test_a_task_whose_worker_was_lost_behind_its_training_reuses_nothing_but_its_own(world, monkeypatch):
    work, report = FinetuneWork(world.store, None, device="cpu"), Report()
    asked = task(world, work)

    def killed(*_):
        raise SystemExit("killed")

    with monkeypatch.context() as patch:
        patch.setattr(trainer.Trainer, "_finish", killed)
        with pytest.raises(SystemExit):
            work.run(asked, report)
    assert report.costs["networks_trained"] == 1
    trained = len(report.steps)
    assert "accuracy" in work.run(replace(asked, attempt=2), report)
    assert len(report.steps) == trained
    assert "networks_reused" not in report.costs


def test_a_damaged_checkpoint_only_costs_time(world):
    work = FinetuneWork(world.store, None, device="cpu")
    asked, expected = task(world, work), None
    for junk in (None, b"not a checkpoint", weights.dump_state({"network:x": torch.zeros(1)})):
        state = junk and {"checkpoint": world.store.put_bytes(junk).sha256, "spent_s": 1000.0}
        report = Report(state=state)
        result = work.run(asked, report)
        expected = expected or result["artifact"]
        assert result["artifact"] == expected
        assert result["train_s"] < 1000
        assert junk is None or not world.store.has(state["checkpoint"])


def test_time_and_pace_are_those_of_all_attempts(world):
    now = iter(range(10_000))
    work = FinetuneWork(
        world.store, None, device="cpu", checkpoint_interval_s=0, clock=lambda: float(next(now))
    )
    asked = task(world, work)
    stopped = Report(stop_after=20)
    with pytest.raises(Cancelled):
        work.run(asked, stopped)
    spent_s = stopped.state["spent_s"]
    resumed = Report(state=stopped.state)
    result = work.run(asked, resumed)
    assert result["train_s"] > spent_s > 0
    assert resumed.results[asked.spec["pace_key"]] == {"epoch_s": result["train_s"] / 4}


def test_a_network_that_diverges_leaves_no_checkpoint(world):
    work = FinetuneWork(world.store, None, device="cpu", checkpoint_interval_s=0)
    report = Report()
    result = work.run(task(world, work, learning_rate=100, optimizer="sgd"), report)
    assert result["error"]["reason"] == "DIVERGED"
    assert report.state is None or not world.store.has(report.state["checkpoint"])
