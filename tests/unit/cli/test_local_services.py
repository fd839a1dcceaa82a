"""`donna up` leaves services that other commands find, or none at all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from donna.cli import local_services
from donna.cli.local_services import hold, start
from donna.client import Endpoints
from donna.errors import FailedPrecondition, Unavailable
from donna.running import Running

OTHERS = Running(pid=os.getppid(), lasting=True, endpoints=Endpoints())


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The processes that were started, each of which only waits."""
    started: list[Any] = []
    popen = subprocess.Popen

    def spawn(_: Any, **options: Any) -> Any:
        started.append(popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
        return started[-1]

    monkeypatch.setattr(local_services.subprocess, "Popen", spawn)
    return started


def test_an_interrupted_start_leaves_no_process(
    tmp_path: Path, child: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(_: Path) -> None:
        if child:
            raise KeyboardInterrupt

    monkeypatch.setattr(local_services, "running", look)
    with pytest.raises(KeyboardInterrupt):
        start(tmp_path)
    assert child[0].wait(timeout=30) != 0


def test_services_that_take_too_long_are_ended(
    tmp_path: Path, child: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_services, "START_DEADLINE_S", 0.0)
    with pytest.raises(Unavailable, match="did not start"):
        start(tmp_path)
    assert child[0].wait(timeout=30) != 0


def test_of_two_that_start_at_once_one_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def started(*_: Any, **__: Any) -> Iterator[None]:
        monkeypatch.setattr(local_services, "running", lambda _: OTHERS)  # the other was a moment faster
        yield

    monkeypatch.setattr(local_services, "services", started)
    monkeypatch.setattr(local_services.signal, "signal", lambda *_: None)
    with pytest.raises(FailedPrecondition, match="already"):
        hold(tmp_path)


def test_the_services_of_another_start_will_do(
    tmp_path: Path, child: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([None, OTHERS])
    monkeypatch.setattr(local_services, "running", lambda _: next(answers))
    assert start(tmp_path) == OTHERS
    child[0].communicate(b"\n")
