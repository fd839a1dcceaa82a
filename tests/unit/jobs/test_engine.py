"""The engine from the creation of a job to its end, with workers in threads."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from donna.errors import Cancelled, FailedPrecondition, NotFound, Unavailable
from donna.jobs import Job, JobState, JobStore, Report, Task, TaskSpec, TaskState, Work, outage
from donna.jobs import engine as engine_module
from donna.jobs.engine import REPORT_INTERVAL_S, Engine, TaskReport, run_task
from donna.jobs.lease import Leases
from donna.jobs.placement import Threads
from tests.unit.jobs.clock import Clock, eventually
from tests.unit.jobs.squares import Squares, runs

Start = Callable[..., Engine]


@pytest.fixture
def start(live: JobStore) -> Iterator[Start]:
    """Starts engines on one store, and closes them at the end."""
    engines: list[Engine] = []

    def started(work: Work, *, limit: int = 3) -> Engine:
        engine = Engine(live, work, Threads(live, work, limit=limit))
        engine.start()
        engines.append(engine)
        return engine

    yield started
    for engine in engines:
        engine.close()


def ended(store: JobStore, name: str) -> Job:
    return eventually(lambda: job if (job := store.get(name)).state.ended else None)


def spec(folder: Path, count: int, **more: Any) -> dict[str, Any]:
    return {"count": count, "folder": str(folder), **more}


def numbers(folder: Path) -> Counter[int]:
    return Counter(n for n, _, _ in runs(folder))


def test_a_job_runs_to_its_result(live: JobStore, start: Start, tmp_path: Path) -> None:
    engine = start(Squares())
    job = ended(live, engine.create(spec(tmp_path, 6)).name)
    assert (job.state, job.result, job.error) == (JobState.SUCCEEDED, {"sum": 55}, None)
    assert numbers(tmp_path) == dict.fromkeys(range(6), 1)
    assert job.cost["measurements"] == 6
    assert job.cost["compute_s"] > 0
    assert job.progress.done == job.progress.total == 6
    assert job.created_at <= (job.started_at or 0) <= (job.ended_at or 0)


def test_known_results_are_not_computed_again(live: JobStore, start: Start, tmp_path: Path) -> None:
    engine = start(Squares())
    ended(live, engine.create(spec(tmp_path, 4)).name)
    again = ended(live, engine.create(spec(tmp_path, 4, other=True)).name)
    more = ended(live, engine.create(spec(tmp_path, 6)).name)
    assert (again.result, more.result) == ({"sum": 14}, {"sum": 55})
    assert again.cost == {}
    assert more.cost["measurements"] == 2
    assert numbers(tmp_path) == dict.fromkeys(range(6), 1)


def test_two_jobs_with_the_same_tasks_at_once_share_them(
    live: JobStore, start: Start, tmp_path: Path
) -> None:
    engine = start(Squares(), limit=4)
    names = [engine.create(spec(tmp_path, 5, held=[0, 1], job=n)).name for n in range(3)]
    eventually(lambda: {0, 1} <= set(numbers(tmp_path)))
    for n in (0, 1):
        (tmp_path / f"open-{n}").touch()
    assert [ended(live, name).result for name in names] == [{"sum": 30}] * 3
    assert numbers(tmp_path) == dict.fromkeys(range(5), 1)
    assert sum(live.get(name).cost.get("measurements", 0) for name in names) == 5


def test_an_error_of_the_work_ends_the_job_with_it(live: JobStore, start: Start, tmp_path: Path) -> None:
    job = ended(live, start(Squares()).create(spec(tmp_path, 4, impossible=[2])).name)
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert (job.error.reason, job.error.metadata) == ("NO_SQUARE", {"n": "2"})
    assert job.error.message == "2 has no square today"


def test_a_defect_ends_the_job_without_its_details(live: JobStore, start: Start, tmp_path: Path) -> None:
    job = ended(live, start(Squares()).create(spec(tmp_path, 2, defect=[1])).name)
    assert job.error is not None
    assert job.error.reason == "INTERNAL"
    assert job.error.message == "square of 1 failed by a defect; the log has the details"


def test_a_failed_job_keeps_what_is_known(live: JobStore, start: Start, tmp_path: Path) -> None:
    engine = start(Squares(), limit=1)
    ended(live, engine.create(spec(tmp_path, 4, impossible=[3])).name)
    assert ended(live, engine.create(spec(tmp_path, 4)).name).result == {"sum": 14}
    assert numbers(tmp_path) == {0: 1, 1: 1, 2: 1, 3: 2}


def test_cancel_stops_the_work(live: JobStore, start: Start, tmp_path: Path) -> None:
    engine = start(Squares(), limit=1)
    name = engine.create(spec(tmp_path, 3, held=[0])).name
    eventually(lambda: live.get(name).progress.done)  # the first task is at its gate
    live.cancel(name)
    other = engine.create(spec(tmp_path, 1, keyed=False)).name
    assert ended(live, other).state is JobState.SUCCEEDED  # the only worker is free again
    (tmp_path / "open-0").touch()
    job = live.get(name)
    assert (job.state, job.result) == (JobState.CANCELLED, None)
    assert [n for n, _, _ in runs(tmp_path)] == [0, 0]
    assert live.recall(["square-0", "square-1", "square-2"]) == {}


def test_close_puts_tasks_back_and_the_next_engine_takes_them_up(
    live: JobStore, start: Start, tmp_path: Path
) -> None:
    engine = start(Squares(), limit=2)
    name = engine.create(spec(tmp_path, 6, held=[2, 3])).name
    eventually(lambda: {2, 3} <= set(numbers(tmp_path)))
    assert engine.alive
    engine.close()
    assert not engine.alive
    job = live.get(name)
    assert not job.state.ended
    assert live.task_states(name) == {TaskState.DONE: 2, TaskState.QUEUED: 4}  # nothing waits for a lease
    assert {task.attempt for task in live.tasks(name)[2:]} == {0}

    for n in (2, 3):
        (tmp_path / f"open-{n}").touch()
    start(Squares())
    assert ended(live, name).result == {"sum": 55}
    assert numbers(tmp_path) == {0: 1, 1: 1, 2: 2, 3: 2, 4: 1, 5: 1}
    assert [how for n, _, how in runs(tmp_path) if n in (2, 3)] == ["fresh", "fresh", "resumed", "resumed"]


def test_an_engine_that_never_started_can_be_closed(live: JobStore) -> None:
    engine = Engine(live, Squares(), Threads(live, Squares(), limit=1))
    assert not engine.alive
    engine.close()


class Scripted:
    """Runs `step(attempt, report)`; joins with `join(attempt)`."""

    kind = "scripts"

    def __init__(
        self, step: Callable[[int, Report], dict[str, Any]], join: Callable[[int], Any] | None = None
    ):
        self._step = step
        self._join = join
        self._joined = 0

    def tasks(self, spec: dict[str, Any]) -> list[TaskSpec]:
        return [TaskSpec(key="", spec=spec, label="the script")]

    def run(self, task: Task, report: Report) -> dict[str, Any]:
        return self._step(task.attempt, report)

    def result(self, job: Job, tasks: list[Task]) -> dict[str, Any]:
        self._joined += 1
        if self._join is not None:
            self._join(self._joined)
        return tasks[0].result or {}


def test_what_is_away_is_tried_again(live: JobStore, start: Start) -> None:
    def step(attempt: int, report: Report) -> dict[str, Any]:
        report.cost(device_s=1.0)
        if attempt < 3:
            raise Unavailable("the device is asleep", retry_after_s=0.0)
        return {"attempts": attempt}

    job = ended(live, start(Scripted(step)).create({}).name)
    assert job.result == {"attempts": 3}
    assert job.cost["device_s"] == 3.0  # what was spent in vain was spent


def test_the_cause_of_a_sentence_is_in_the_log(
    live: JobStore, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    def step(attempt: int, report: Report) -> dict[str, Any]:
        try:
            raise KeyError("what really happened")
        except KeyError as error:
            raise FailedPrecondition("it cannot be exported") from error

    job = ended(live, start(Scripted(step)).create({}).name)
    assert job.error is not None
    assert job.error.message == "it cannot be exported"
    assert "what really happened" in caplog.text


def test_a_join_that_cannot_yet_is_tried_again(live: JobStore, start: Start) -> None:
    def join(attempt: int) -> None:
        if attempt == 1:
            raise Unavailable("the artifact store is away")

    job = ended(live, start(Scripted(lambda *_: {"n": 1}, join)).create({}).name)
    assert (job.state, job.result) == (JobState.SUCCEEDED, {"n": 1})


def test_a_join_that_fails_ends_its_own_job_only(live: JobStore, start: Start) -> None:
    def join(attempt: int) -> None:
        if attempt == 1:
            raise KeyError("a detail")

    engine = start(Scripted(lambda *_: {}, join), limit=1)
    first, second = (ended(live, engine.create({"n": n}).name) for n in range(2))
    assert first.error is not None
    assert (first.error.reason, first.error.message) == ("INTERNAL", "the results could not be joined")
    assert second.state is JobState.SUCCEEDED


def test_a_cancelled_dependency_is_not_a_cancelled_job(live: JobStore, start: Start) -> None:
    def step(attempt: int, report: Report) -> dict[str, Any]:
        raise Cancelled("measurements/1 was cancelled", reason="MEASUREMENT_CANCELLED")

    job = ended(live, start(Scripted(step)).create({}).name)
    assert job.state is JobState.FAILED
    assert job.error is not None
    assert job.error.reason == "MEASUREMENT_CANCELLED"


def test_a_job_deleted_while_its_result_is_joined_harms_nobody(live: JobStore, start: Start) -> None:
    def join(attempt: int) -> None:
        if attempt == 1:
            live.cancel(first.name)
            live.delete(first.name)

    engine = Engine(live, work := Scripted(lambda *_: {}, join), Threads(live, work, limit=1))
    first = engine.create({})
    engine.start()
    try:
        eventually(lambda: first.name not in live.revisions([first.name]))
        assert ended(live, engine.create({"n": 2}).name).state is JobState.SUCCEEDED
        with pytest.raises(NotFound):
            live.get(first.name)
    finally:
        engine.close()


def test_waiting_is_seen_from_outside_until_it_is_over(live: JobStore, start: Start) -> None:
    go, waiting, over = threading.Event(), threading.Event(), threading.Event()

    def step(attempt: int, report: Report) -> dict[str, Any]:
        report.waiting("a device")
        report.progress(1, 2, "another device goes on")
        time.sleep(1.5 * REPORT_INTERVAL_S)
        report.save({"generation": 1}, fraction=0.5, message="what came before is stored")
        waiting.set()
        go.wait(30)
        report.waiting("")
        go.clear()
        over.set()
        go.wait(30)
        return {}

    name = start(Scripted(step)).create({}).name
    waiting.wait(30)
    job = live.get(name)
    assert (job.state, job.waiting_for) == (JobState.WAITING, "a device")
    assert job.progress.message == "what came before is stored"
    go.set()
    over.wait(30)
    assert (live.get(name).state, live.get(name).waiting_for) == (JobState.RUNNING, "")
    go.set()
    job = ended(live, name)
    assert (job.state, job.waiting_for) == (JobState.SUCCEEDED, "")


def test_publish_and_saved(live: JobStore, start: Start) -> None:
    def step(attempt: int, report: Report) -> dict[str, Any]:
        saved = report.saved()
        if saved is None:
            report.save({"generation": 7})
            report.publish({"front": [7]})
            raise Unavailable("gone for a moment", retry_after_s=0.0)
        seen = live.get(name).result
        return {"saved": saved, "published": seen}

    engine = Engine(live, work := Scripted(step), Threads(live, work, limit=1))
    name = engine.create({}).name
    engine.start()
    try:
        assert ended(live, name).result == {"saved": {"generation": 7}, "published": {"front": [7]}}
    finally:
        engine.close()


def test_checkpoints_tell_now_and_then_but_never_without_their_cost(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "REPORT_INTERVAL_S", 3600.0)
    job = store.create("scripts", {}, [TaskSpec(key="", spec={})])
    leases = Leases(store, kind="scripts", owner="a")
    task = leases.claim()
    assert task is not None
    report = TaskReport(leases, task, threading.Event())
    try:
        report.save({"generation": 0}, fraction=0.1)
        told = store.get(job.name)
        for generation in range(1, 4):
            report.save({"generation": generation}, part=(generation, {}), fraction=0.5)
        assert report.saved() == {"generation": 3}
        assert len(report.saved_parts()) == 3
        assert store.get(job.name).revision == told.revision
        report.cost(device_s=2.0)
        report.save({"generation": 4})
        assert store.get(job.name).cost["device_s"] == 2.0
        report.save({"generation": 5}, partial={"front": [5]}, fraction=0.75)
        now = store.get(job.name)
        assert (now.result, now.progress.done) == ({"front": [5]}, 0.75)
    finally:
        report.close()


def _away(*_: Any, **__: Any) -> None:
    raise OperationalError("UPDATE", {}, Exception("the server closed the connection"))


def test_progress_does_not_fail_the_work_while_the_store_is_away(
    store: JobStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = store.create("scripts", {}, [TaskSpec(key="", spec={})])
    leases = Leases(store, kind="scripts", owner="a")

    def step(attempt: int, report: Report) -> dict[str, Any]:
        with monkeypatch.context() as patch:
            patch.setattr(leases, "report", _away)
            report.cost(measurements=2)
            report.progress(1, 2, "unseen")
        return {"n": 1}

    task = leases.claim()
    assert task is not None
    run_task(leases, Scripted(step), task, threading.Event())
    assert store.task_states(job.name) == {TaskState.DONE: 1}
    assert store.get(job.name).cost["measurements"] == 2


def test_a_result_is_kept_until_the_store_is_back(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    job = store.create("scripts", {}, [TaskSpec(key="k", spec={})])
    leases = Leases(store, kind="scripts", owner="a")
    monkeypatch.setattr(outage, "LONGEST_PAUSE_S", 0.0)
    complete, calls = leases.complete, []

    def flaky(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) < 3:
            _away()
        complete(*arguments)

    monkeypatch.setattr(leases, "complete", flaky)
    task = leases.claim()
    assert task is not None
    run_task(leases, Scripted(lambda *_: {"n": 1}), task, threading.Event())
    assert store.recall(["k"]) == {"k": {"n": 1}}
    assert store.task_states(job.name) == {TaskState.DONE: 1}


def test_work_stands_still_while_its_checkpoint_cannot_be_stored(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = store.create("scripts", {}, [TaskSpec(key="", spec={})])
    leases = Leases(store, kind="scripts", owner="a")
    monkeypatch.setattr(outage, "LONGEST_PAUSE_S", 0.0)
    report_, calls = leases.report, []

    def flaky(*arguments: Any, **named: Any) -> None:
        calls.append(named)
        if len(calls) < 3:
            _away()
        report_(*arguments, **named)

    def step(attempt: int, report: Report) -> dict[str, Any]:
        with monkeypatch.context() as patch:
            patch.setattr(leases, "report", flaky)
            report.save({"epoch": 1}, part=(0, {"n": 1}))
        return {"attempt": attempt, "saved": report.saved(), "parts": report.saved_parts()}

    task = leases.claim()
    assert task is not None
    run_task(leases, Scripted(step), task, threading.Event())
    assert len(calls) == 3
    assert store.tasks(job.name)[0].result == {"attempt": 1, "saved": {"epoch": 1}, "parts": [{"n": 1}]}


def test_a_worker_that_is_told_to_stop_waits_for_no_store(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = store.create("scripts", {}, [TaskSpec(key="", spec={})])
    leases, stopping = Leases(store, kind="scripts", owner="a"), threading.Event()
    monkeypatch.setattr(engine_module, "SETTLE_S", 0.3)
    monkeypatch.setattr(leases, "report", _away)
    monkeypatch.setattr(leases, "release", _away)

    def step(attempt: int, report: Report) -> dict[str, Any]:
        stopping.set()
        report.save({"epoch": 1})
        raise AssertionError("it was not saved")

    task = leases.claim()
    assert task is not None
    run_task(leases, Scripted(step), task, stopping)
    assert store.task_states(job.name) == {TaskState.RUNNING: 1}, "until its lease has run out"


def test_the_lease_of_a_long_task_is_renewed_beside_it(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.create("scripts", {}, [TaskSpec(key="", spec={})])
    leases = Leases(store, kind="scripts", owner="a", ttl_s=0.03)
    task = leases.claim()
    assert task is not None
    renewed = threading.Semaphore(0)
    monkeypatch.setattr(leases, "renew", lambda _: renewed.release())
    report = TaskReport(leases, task, threading.Event())
    try:
        for _ in range(3):
            assert renewed.acquire(timeout=30)
    finally:
        report.close()


def test_a_stale_worker_hears_of_it_at_its_next_check(store: JobStore, clock: Clock) -> None:
    store.create("scripts", {}, [TaskSpec(key="", spec={})])
    leases = Leases(store, kind="scripts", owner="a", ttl_s=0.03)
    task = leases.claim()
    assert task is not None
    clock.pass_s(1)
    assert Leases(store, kind="scripts", owner="b", ttl_s=100).claim() is not None
    report = TaskReport(leases, task, threading.Event())

    def check() -> bool:
        try:
            report.check()
        except Cancelled as lost:
            return lost.reason == "LEASE_LOST"
        return False

    eventually(check)
    report.close()
