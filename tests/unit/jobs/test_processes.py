"""Workers in processes of their own, which may be killed at any moment."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from donna.jobs import JobState, JobStore, TaskState
from donna.jobs.engine import Engine
from donna.jobs.placement import Processes
from tests.unit.jobs.clock import eventually
from tests.unit.jobs.squares import Squares, runs

ROOT = Path(__file__).parents[3]


@pytest.fixture
def engine(database: str, live: JobStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("DONNA_TEST_DATABASE", database)
    monkeypatch.chdir(ROOT)
    engine = Engine(live, Squares(), Processes("tests.unit.jobs.worker", limit=2))
    engine.start()
    yield engine
    engine.close()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_a_killed_worker_is_replaced_and_nothing_counts_twice(
    live: JobStore, engine: Engine, tmp_path: Path
) -> None:
    name = engine.create({"count": 8, "folder": str(tmp_path), "held": [5]}).name
    pid = eventually(lambda: next((pid for n, pid, _ in runs(tmp_path) if n == 5), None))
    # Killed in the middle of task 5, with all others done by the second worker.
    eventually(lambda: live.task_states(name).get(TaskState.DONE) == 7)
    assert live.get(name).progress.done < 8
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: [how for n, _, how in runs(tmp_path) if n == 5] == ["fresh", "resumed"])
    (tmp_path / "open-5").touch()
    job = eventually(lambda: job if (job := live.get(name)).state.ended else None)
    assert job.result == {"sum": 140}
    assert job.cost["measurements"] == 8
    assert sorted(n for n, _, _ in runs(tmp_path)) == [0, 1, 2, 3, 4, 5, 5, 6, 7]
    assert pid not in [p for n, p, how in runs(tmp_path) if how == "resumed"]
    assert os.getpid() not in {pid for _, pid, _ in runs(tmp_path)}


def test_close_stops_the_workers_and_puts_their_tasks_back(
    live: JobStore, engine: Engine, tmp_path: Path
) -> None:
    name = engine.create({"count": 2, "folder": str(tmp_path), "held": [0, 1]}).name
    pids = eventually(lambda: pids if len(pids := {pid for _, pid, _ in runs(tmp_path)}) == 2 else None)
    engine.close()
    assert all(gone(pid) for pid in pids)
    assert live.task_states(name) == {TaskState.QUEUED: 2}


def test_a_worker_that_cannot_start_is_not_started_in_a_loop(live: JobStore, tmp_path: Path) -> None:
    placement = Processes("tests.unit.jobs.no_such_module", limit=1)
    placement.place(1)
    first = placement.running
    assert len(first) == 1
    eventually(lambda: placement.place(1) or not placement.running)
    placement.place(1)  # at once: the pause is not over
    assert placement.running == ()
    placement.close()


def test_a_service_whose_workers_keep_dying_is_not_healthy(
    live: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("donna.jobs.placement.FIRST_PAUSE_S", 0.001)
    placement = Processes("tests.unit.jobs.no_such_module", limit=1)
    work = Squares()
    engine = Engine(live, work, placement)
    engine.start()
    assert engine.alive
    name = engine.create({"count": 1, "folder": str(tmp_path)}).name
    eventually(lambda: not engine.alive)
    eventually(
        lambda: live.get(name).waiting_for.startswith("a worker that lives: one after the other ended")
    )
    assert live.get(name).state is JobState.WAITING
    live.cancel(name)  # nothing is to do any more, and after a while nothing is known against it
    monkeypatch.setattr("donna.jobs.placement.STEADY_S", 0.0)
    eventually(lambda: engine.alive)
    engine.close()


STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(600)
"""


def test_workers_that_do_not_listen_share_one_time_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("donna.jobs.placement.STOP_GRACE_S", 1.5)
    placement = Processes("stubborn", limit=4)
    placement.place(4)
    pids = placement.running
    eventually(lambda: all(ignores_sigterm(pid) for pid in pids))
    before = time.monotonic()
    placement.close()
    assert time.monotonic() - before < 4  # of 6 for one after the other
    assert all(gone(pid) for pid in pids)
    placement.place(4)
    assert all(gone(pid) for pid in placement.running), "who comes too late starts nobody"


def ignores_sigterm(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    mask = next(line for line in status.splitlines() if line.startswith("SigIgn:")).split()[1]
    return bool(int(mask, 16) >> (signal.SIGTERM - 1) & 1)
