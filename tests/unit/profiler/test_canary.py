"""The log of the canary's readings: what is first, when one is due, how many are kept."""

from __future__ import annotations

import itertools

import pytest

from services.profiler import canary
from services.profiler.canary import CanaryLog, pace_key

KEY = pace_key("f" * 64, "CPU")


@pytest.fixture
def log(tmp_path):
    return CanaryLog(tmp_path / "canary.json", every=3)


def test_the_first_reading_outlives_the_log(tmp_path, log):
    assert log.latest(KEY) is None
    assert log.record(KEY, 2.0).drift == 1.0
    assert log.record(KEY, 3.0).drift == 1.5
    again = CanaryLog(tmp_path / "canary.json", every=3)
    assert (again.latest(KEY).first_ms, again.latest(KEY).latest_ms) == (2.0, 3.0)
    assert again.record(KEY, 1.0).drift == 0.5


def test_one_is_due_at_first_and_after_so_many_without_a_reading(log):
    due = []
    for _ in range(8):
        due.append(log.due(KEY))
        if due[-1]:
            log.record(KEY, 1.0)
    assert due == [True, False, False, True, False, False, True, False]


def test_none_is_due_where_it_runs_beside_every_measurement(log):
    assert log.due(KEY)
    log.record(KEY, 1.0)
    for _ in range(10):
        log.record(KEY, 1.0)
        assert not log.due(KEY)


def test_zero_means_never(tmp_path):
    log = CanaryLog(tmp_path / "canary.json", every=0)
    assert not any(log.due(KEY) for _ in range(5))


def test_processors_have_paces_of_their_own(log):
    slow = pace_key("f" * 64, "CPU", (0, 1))
    log.record(KEY, 1.0)
    assert log.record(slow, 4.0).drift == 1.0
    assert log.latest(KEY).first_ms == 1.0


def test_only_the_latest_are_kept(log, monkeypatch):
    monkeypatch.setattr(canary, "MOST_READINGS", 10)
    clock = itertools.count()
    monkeypatch.setattr(canary.time, "time", lambda: next(clock))
    for cpu in range(50):
        log.record(pace_key("f" * 64, "CPU", (cpu,)), 1.0)
        log.record(KEY, 1.0)
    known = [cpu for cpu in range(50) if log.latest(pace_key("f" * 64, "CPU", (cpu,)))]
    assert known == list(range(41, 50))
    assert len(log._since) == 10, "nor are the others counted"
    assert log.latest(KEY) is not None
