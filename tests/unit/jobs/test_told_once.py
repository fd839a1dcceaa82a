"""What is tried again and again while the store is away is told once in the log, and when it is over."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from donna.jobs import JobStore, TaskSpec, engine, outage
from donna.jobs.engine import TaskReport
from donna.jobs.index_worker import run_index
from donna.jobs.lease import Leases
from tests.unit.jobs.squares import Squares

TIMES = 4


class Away:
    """Stands for a method of the store, which is away the first times; `back` is set when it has answered."""

    def __init__(self, there: Callable[..., Any]) -> None:
        self.there, self.left, self.back = there, TIMES, threading.Event()

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        if self.left:
            self.left -= 1
            raise OperationalError("statement", {}, ConnectionError("the server is gone"))
        try:
            return self.there(*arguments, **named)
        finally:
            self.back.set()


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    caplog.set_level(logging.INFO)
    return lambda: [record.levelname for record in caplog.records if record.name == "donna.jobs"]


@pytest.fixture
def leases(store: JobStore) -> Leases:
    store.create("squares", {}, [TaskSpec(key="", spec={})])
    return Leases(store, kind="squares", owner="a", ttl_s=0.03)


def test_progress(leases: Leases, monkeypatch: pytest.MonkeyPatch, told: Callable[[], list[str]]) -> None:
    monkeypatch.setattr(engine, "REPORT_INTERVAL_S", 0.0)
    monkeypatch.setattr(leases, "renew", lambda task: None)
    monkeypatch.setattr(leases, "report", Away(lambda *_, **__: None))
    task = leases.claim()
    assert task is not None
    report = TaskReport(leases, task, threading.Event())
    for done in range(TIMES + 2):
        report.progress(done, TIMES + 2)
    report.close()
    assert told() == ["WARNING", "INFO"]


def test_the_renewal_of_a_lease(
    leases: Leases, monkeypatch: pytest.MonkeyPatch, told: Callable[[], list[str]]
) -> None:
    renew = Away(lambda task: None)
    monkeypatch.setattr(leases, "renew", renew)
    task = leases.claim()
    assert task is not None
    report = TaskReport(leases, task, threading.Event())
    assert renew.back.wait(30)
    report.close()
    assert told() == ["WARNING", "INFO"]


def test_what_is_outlasted(monkeypatch: pytest.MonkeyPatch, told: Callable[[], list[str]]) -> None:
    monkeypatch.setattr(outage, "LONGEST_PAUSE_S", 0.0)
    assert outage.outlast(Away(lambda: 1), what="a task", check=lambda: None) == 1
    assert told() == ["WARNING", "INFO"]


def test_a_pod_that_asks_for_its_task(
    store: JobStore, monkeypatch: pytest.MonkeyPatch, told: Callable[[], list[str]], tmp_path: Path
) -> None:
    spec = {"count": 1, "folder": str(tmp_path)}
    job = store.create("squares", spec, Squares().tasks(spec))
    monkeypatch.setattr(store, "get", Away(store.get))
    assert run_index(store, Squares(), job.name, 0, stopping=threading.Event(), wait_s=0.0)
    assert told() == ["WARNING", "INFO"]
