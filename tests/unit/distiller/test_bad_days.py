"""Interruption, memory that runs out, a full disk, a block that cannot be trained."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from donna import artifacts
from donna.data import digits
from donna.errors import FailedPrecondition
from donna.jobs import Job, JobState
from donna.jobs.engine import run_task
from donna.jobs.lease import Leases
from donna.nets import parity
from donna.service import open_stores
from donna.space import Library
from services.distiller import group, shelf
from services.distiller.settings import DistillerSettings
from services.distiller.student import Student
from services.distiller.wire import library_message
from services.distiller.work import KIND, DistillWork, parts

from .conftest import OPTIONS, REQUEST


class Worker:
    """One worker's view of a folder: what is made in it survives the worker."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        chosen = DistillerSettings(state=folder, device="cpu", threads=2, **settings)
        self.store, self.artifacts = open_stores(chosen, "distiller")
        self.work = DistillWork.of(chosen, self.store, self.artifacts)
        self.leases = Leases(self.store, kind=KIND, owner="a test", ttl_s=600)
        self.stopping = threading.Event()

    def create(self) -> Job:
        spec = self.work.admission.admit(REQUEST).to_dict()
        return self.store.create(KIND, spec, self.work.tasks(spec))

    def run(self) -> None:
        """Runs the next task that can be claimed, to its end or its interruption."""
        task = self.leases.claim()
        assert task is not None
        run_task(self.leases, self.work, task, self.stopping)

    def finish(self, job: Job) -> Library:
        tasks = list(self.store.tasks(job.name))
        assert all(task.state == "DONE" for task in tasks), [task.error for task in tasks]
        result = self.work.result(job, tasks)
        return Library.from_json(self.artifacts.get_bytes(result["manifest"]["sha256"]))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Library:
    worker = Worker(Path(tmp_path_factory.mktemp("undisturbed")))
    job = worker.create()
    worker.run()
    return worker.finish(job)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The step numbers that were done, in order."""
    done: list[int] = []
    real = group.distill

    def recording(*args: Any, **kwargs: Any) -> Iterator[int]:
        for step in real(*args, **kwargs):
            done.append(step)
            yield step

    monkeypatch.setattr(group, "distill", recording)
    return done


def test_a_stopped_worker_is_continued_where_it_was(
    tmp_path: Path, steps: list[int], undisturbed: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("donna.checkpoints.WRITING_SHARE", 0)
    worker = Worker(tmp_path, checkpoint_interval_s=0)
    job = worker.create()
    real_save = group.Checkpoints.save

    def save_then_stop(self: Any, data: bytes) -> None:
        real_save(self, data)
        if len(steps) == 5:
            worker.stopping.set()

    with monkeypatch.context() as patch:
        patch.setattr(group.Checkpoints, "save", save_then_stop)
        worker.run()
    interrupted_at = list(steps)
    assert interrupted_at[-1] < 8
    second = Worker(tmp_path, checkpoint_interval_s=0)
    second.run()
    assert second.finish(job).digest == undisturbed.digest
    assert interrupted_at == [1, 2, 3, 4, 5, 6][: len(interrupted_at)]
    assert steps[len(interrupted_at) :] == [6, 7, 8]  # saved after 5
    cost = second.store.get(job.name).cost
    assert (cost["blocks_trained"], cost["blocks_reused"]) == (9, 0)
    left = {path.name for path in (tmp_path / "artifacts").glob("*/*")}
    wanted = {e.weights for b in undisturbed.blocks for e in b.entries}
    assert wanted <= left
    assert second.store.tasks(job.name)[0].state == "DONE"


def test_looking_at_qualities_on_the_way_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group.keys, "seed_of", lambda key, seed: seed)  # else another recipe is another start
    worker = Worker(tmp_path)
    libraries = []
    for points in (1, 3):
        spec = worker.work.admission.admit(REQUEST).to_dict()
        spec["recipe"]["quality_points"] = points
        job = worker.store.create(KIND, spec, worker.work.tasks(spec))
        worker.run()
        libraries.append(worker.finish(job))
    for seldom, often in zip(*(library.blocks for library in libraries), strict=True):
        assert [e.weights for e in seldom.entries] == [e.weights for e in often.entries]
        assert [e.quality for e in seldom.entries] == [e.quality for e in often.entries]
        assert [len(e.curve) for e in seldom.entries] == [1] * 4
        assert [[step for step, _ in e.curve] for e in often.entries] == [[3, 5, 8]] * 4


def test_blocks_that_were_stored_before_a_kill_are_not_trained_again(
    tmp_path: Path, undisturbed: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(tmp_path)
    job = worker.create()
    stored: list[str] = []
    real = group.Shelf.put_block

    def put_then_die(self: Any, student: Student, **named: Any) -> None:
        if len(stored) == 6:
            raise SystemExit("killed")
        real(self, student, **named)
        stored.append(student.key)

    monkeypatch.setattr(group.Shelf, "put_block", put_then_die)
    task = worker.leases.claim()
    assert task is not None
    with pytest.raises(SystemExit):
        run_task(worker.leases, worker.work, task, worker.stopping)
    monkeypatch.undo()
    enrolled: list[str] = []
    real_enrol = group.enrol
    monkeypatch.setattr(group, "enrol", lambda *a: (enrolled.append(a[3]), real_enrol(*a))[1])
    worker.leases.release(task)
    Worker(tmp_path).run()
    assert len(enrolled) == 16 - 6
    assert not set(enrolled) & set(stored)
    assert worker.finish(job).digest == undisturbed.digest
    cost = worker.store.get(job.name).cost
    assert (cost["blocks_trained"], cost["blocks_reused"]) == (9, 0)


@pytest.mark.parametrize(("place", "count"), [("enrol", 10), ("step", 25)])
def test_out_of_memory_splits_the_group_and_changes_nothing(
    tmp_path: Path, undisturbed: Library, monkeypatch: pytest.MonkeyPatch, place: str, count: int
) -> None:
    """As blocks are made, and in the middle of a step, with other blocks and the next pass under way."""
    owner = group if place == "enrol" else Student
    real = getattr(owner, place)
    calls: list[int] = []

    def scarce(*args: Any) -> Any:
        calls.append(1)
        if len(calls) == count:
            torch.empty(1 << 50)
        return real(*args)

    monkeypatch.setattr(owner, place, scarce)
    worker = Worker(tmp_path)
    job = worker.create()
    worker.run()
    (task,) = worker.store.tasks(job.name)
    assert library_message(worker.store.get(job.name), [task]).plan.groups == 2
    assert worker.finish(job).digest == undisturbed.digest


@pytest.fixture
def together(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many blocks were trained together, each time."""
    found: list[int] = []
    real = group.Group._train_together

    def counting(self: group.Group, variants: Any, saved: Any) -> None:
        found.append(len(variants))
        real(self, variants, saved)

    monkeypatch.setattr(group.Group, "_train_together", counting)
    return found


def test_every_part_of_a_split_group_goes_on_where_the_group_was(
    tmp_path: Path,
    steps: list[int],
    together: list[int],
    undisturbed: Library,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where a part is split before it saved anything, and parts before it have."""
    monkeypatch.setattr("donna.checkpoints.WRITING_SHARE", 0)
    real = Student.step

    def scarce(*args: Any) -> Any:
        if len(steps) >= 5 and together[-1] > 4:
            torch.empty(1 << 50)
        return real(*args)

    monkeypatch.setattr(Student, "step", scarce)
    worker = Worker(tmp_path, checkpoint_interval_s=0)
    job = worker.create()
    worker.run()
    assert together == [16, 8, 4, 4, 8, 4, 4]
    assert steps == [1, 2, 3, 4, 5, *[6, 7, 8] * 4]
    assert worker.finish(job).digest == undisturbed.digest


def test_workers_that_are_lost_again_and_again_are_given_less_at_a_time(
    tmp_path: Path, together: list[int], undisturbed: Library
) -> None:
    """The system's killer says nothing: whoever comes next has to guess that it was memory."""
    assert [parts(attempt) for attempt in (1, 2, 3, 4, 5)] == [1, 1, 2, 4, 8]
    worker = Worker(tmp_path)
    job = worker.create()
    task = worker.leases.claim()
    assert task is not None
    run_task(worker.leases, worker.work, replace(task, attempt=4), worker.stopping)
    assert together == [4, 4, 4, 4]
    (task,) = worker.store.tasks(job.name)
    assert library_message(worker.store.get(job.name), [task]).plan.groups == 4
    assert worker.finish(job).digest == undisturbed.digest


def test_a_block_for_which_memory_is_never_enough_fails_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group, "enrol", lambda *_: torch.empty(1 << 50))
    worker = Worker(tmp_path)
    job = worker.create()
    worker.run()
    (task,) = worker.store.tasks(job.name)
    assert task.error is not None
    assert task.error.reason == "OUT_OF_MEMORY"
    assert "not enough memory to train inverted_residual" in task.error.message


def test_a_block_that_diverges_is_left_out_with_its_reason(
    tmp_path: Path, undisturbed: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = group.enrol

    def poisoned(*args: Any) -> Student:
        student = real(*args)
        if args[1] == 2 and str(student.option) == OPTIONS[0]:
            with torch.no_grad():
                next(student.module.parameters()).fill_(float("inf"))
        return student

    monkeypatch.setattr(group, "enrol", poisoned)
    worker = Worker(tmp_path)
    job = worker.create()
    worker.run()
    library = worker.finish(job)
    assert library.num_options == (4, 4, 3, 4)
    assert [e.option for e in library.blocks[2].entries] == list(OPTIONS[1:])
    assert library.blocks[0] == undisturbed.blocks[0]
    (reason,) = library.failures.values()
    assert "no longer finite" in reason


def test_a_block_whose_quality_is_not_a_number_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = group.HeldOut.nsr

    def broken(self: Any, student: Student, variance: torch.Tensor) -> float:
        return (
            float("inf")
            if student.n == 1 and str(student.option) == "skip()"
            else real(self, student, variance)
        )

    monkeypatch.setattr(group.HeldOut, "nsr", broken)
    worker = Worker(tmp_path)
    job = worker.create()
    worker.run()
    library = worker.finish(job)
    assert library.num_options == (4, 3, 4, 4)
    assert library.failures == {"stage2/skip()": "the quality on held-out images is not finite"}


def test_a_block_that_no_exporter_reproduces_is_left_out(
    tmp_path: Path, undisturbed: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shelf.finish
    finished: list[int] = []

    def refusing(module: Any, shape: tuple[int, ...]) -> Any:
        finished.append(1)
        if len(finished) == 3:  # behind stem and head
            raise FailedPrecondition("no exporter gives the network's own outputs (torchscript: 0.3)")
        return real(module, shape)

    monkeypatch.setattr(shelf, "finish", refusing)
    worker = Worker(tmp_path)
    job = worker.create()
    worker.run()
    library = worker.finish(job)
    assert library.blocks[1:] == undisturbed.blocks[1:]
    assert library.blocks[0].entries == undisturbed.blocks[0].entries[1:]
    ((name, reason),) = library.failures.items()
    assert name == f"stage1/{OPTIONS[0]}"
    assert "no exporter gives" in reason


def test_memory_that_runs_out_as_a_block_is_exported_splits_the_group(
    tmp_path: Path, undisturbed: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says nothing about the block: that it cannot be exported would be remembered for ever."""
    real = parity.to_onnx
    exported: list[int] = []

    def scarce(*args: Any, **named: Any) -> bytes:
        exported.append(1)
        if len(exported) == 5:  # behind stem and head
            torch.empty(1 << 50)
        return real(*args, **named)

    monkeypatch.setattr(parity, "to_onnx", scarce)
    worker = Worker(tmp_path)
    job = worker.create()
    worker.run()
    library = worker.finish(job)
    assert library.failures == {}
    assert library.digest == undisturbed.digest
    (task,) = worker.store.tasks(job.name)
    assert library_message(worker.store.get(job.name), [task]).plan.groups == 2


@pytest.mark.parametrize("part", ["stem", "head"])
def test_a_reference_that_no_exporter_reproduces_is_known_before_blocks_are_trained(
    tmp_path: Path, steps: list[int], monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    real = shelf.finish

    def refusing(module: Any, shape: tuple[int, ...]) -> Any:
        if type(module).__name__.lower() == part:
            raise FailedPrecondition("no exporter gives the network's own outputs (torchscript: 0.3)")
        return real(module, shape)

    monkeypatch.setattr(shelf, "finish", refusing)
    worker = Worker(tmp_path)
    job = worker.create()
    worker.run()
    (task,) = worker.store.tasks(job.name)
    assert task.error is not None
    assert task.error.message.startswith(f"the {part} of the reference: no exporter")
    assert steps == []


def test_data_that_changes_under_a_library_is_a_sentence_and_the_next_is_of_the_new(
    tmp_path: Path, undisturbed: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker(tmp_path)
    job = worker.create()
    monkeypatch.setattr(digits._digits(), "identity", "other images")
    Worker(tmp_path).run()
    (task,) = worker.store.tasks(job.name)
    assert task.error is not None
    assert task.error.reason == "DATA_CHANGED"
    worker.store.cancel(job.name)
    job = worker.create()
    Worker(tmp_path).run()
    keys = {e.key for block in worker.finish(job).blocks for e in block.entries}
    assert not keys & {e.key for block in undisturbed.blocks for e in block.entries}


def test_a_full_disk_fails_with_a_sentence_and_goes_on_when_there_is_space(
    tmp_path: Path, undisturbed: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync
    synced: list[bool] = []

    def full(file: int) -> None:
        synced.append(".incoming-" in os.readlink(f"/proc/self/fd/{file}"))  # artifacts alone
        if sum(synced) > 9:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(file)

    monkeypatch.setattr(artifacts.os, "fsync", full)
    worker = Worker(tmp_path)
    job = worker.create()
    worker.run()
    (task,) = worker.store.tasks(job.name)
    assert task.error is not None
    assert "No space left on device" in task.error.message
    assert worker.store.get(job.name).state is not JobState.SUCCEEDED
    monkeypatch.undo()
    stored = list((tmp_path / "artifacts").glob("*/*"))
    assert len(stored) == 9
    for path in stored:
        worker.artifacts.get_bytes(path.name)  # whole, or it would say so
    assert not list((tmp_path / "artifacts").glob(".incoming-*"))
    again = worker.create()
    assert again.name != job.name
    worker.store.cancel(job.name)
    worker.run()
    assert worker.finish(again).digest == undisturbed.digest
    assert worker.store.get(again.name).cost["blocks_reused"] > 0


def test_a_damaged_checkpoint_only_costs_time(tmp_path: Path, undisturbed: Library) -> None:
    worker = Worker(tmp_path)
    job = worker.create()
    task = worker.leases.claim()
    assert task is not None
    junk = worker.artifacts.put_bytes(b"not a checkpoint")
    worker.leases.report(task, checkpoint={"checkpoint": junk.sha256})
    run_task(worker.leases, worker.work, task, worker.stopping)
    assert worker.finish(job).digest == undisturbed.digest


def test_blocks_whose_files_are_gone_are_made_again(tmp_path: Path, undisturbed: Library) -> None:
    """The rest is not: and the library is the same, down to the bytes."""
    worker = Worker(tmp_path)
    worker.create()
    worker.run()
    lost = next(e for block in undisturbed.blocks for e in block.entries if e.option == OPTIONS[0])
    for sha256 in (lost.fragment, undisturbed.stem.weights):
        worker.artifacts.remove(sha256)
    job = worker.create()
    worker.run()
    assert worker.finish(job).digest == undisturbed.digest
    assert worker.artifacts.get_bytes(lost.fragment) and worker.artifacts.get_bytes(undisturbed.stem.weights)
    assert worker.store.get(job.name).cost["blocks_trained"] == 1
