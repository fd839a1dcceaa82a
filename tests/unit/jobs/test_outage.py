"""A database that is away for longer than a lease: whoever was at work goes on, and nobody does it again."""

import threading
import time
from pathlib import Path

import pytest

from donna.jobs import JobState, JobStore, TaskState
from donna.jobs.database import open_database
from donna.jobs.engine import run_worker
from tests import postgres
from tests.unit.jobs.clock import eventually
from tests.unit.jobs.squares import Squares, runs

LEASE_S = 3.0


@pytest.mark.skipif(postgres.programs() is None, reason="PostgreSQL is not installed")
def test_who_works_through_an_outage_keeps_the_task(tmp_path: Path) -> None:
    """One task ends while nobody can be told, another after; and idle workers wait for nothing else than for them."""
    with postgres.restartable() as database:
        store = JobStore(open_database(database.url))
        job = store.create(
            "squares", spec := {"count": 2, "folder": str(tmp_path), "held": [0, 1]}, Squares().tasks(spec)
        )
        stopping = threading.Event()
        workers = [
            threading.Thread(
                target=run_worker,
                args=(store, Squares()),
                kwargs={"stopping": stopping, "lease_s": LEASE_S},
                daemon=True,
            )
            for _ in range(4)
        ]
        for worker in workers:
            worker.start()
        eventually(lambda: len(runs(tmp_path)) == 2)
        database.stop()
        (tmp_path / "open-0").touch()
        time.sleep(LEASE_S)
        database.start()
        (tmp_path / "open-1").touch()
        eventually(lambda: store.task_states(job.name) == {TaskState.DONE: 2})
        assert [how for _, _, how in runs(tmp_path)] == ["fresh", "fresh"]
        assert store.get(job.name).cost["measurements"] == 2
        assert store.succeed(job.name, {}).state is JobState.SUCCEEDED
        stopping.set()
        for worker in workers:
            worker.join(30)
        store.engine.dispose()
