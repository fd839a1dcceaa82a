"""A look before a search waits a little, and says for what it would not."""

from __future__ import annotations

from typing import Any

import pytest

from donna.errors import DeadlineExceeded, FailedPrecondition
from services.searcher import glance
from services.searcher.glance import Impatient

AWAY, BUSY = "device cpu: cpu is away: it is unplugged", "device cpu: cpu is busy, 7 measurements wait for it"
NO_STORE: Any = None


def test_a_short_absence_and_a_queue_are_waited_for() -> None:
    report = Impatient(NO_STORE, 45.0)
    for told in (AWAY, "", AWAY, BUSY):
        report.waiting(told)
        report.check()


def test_a_device_that_stays_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glance, "AWAY_S", -1.0)
    report = Impatient(NO_STORE, 45.0)
    report.waiting(BUSY)
    report.waiting("")
    with pytest.raises(FailedPrecondition, match="it is unplugged") as caught:
        report.waiting(AWAY)
    assert caught.value.reason == "DEVICE_AWAY"


def test_what_it_waits_for_at_its_deadline_is_told() -> None:
    report = Impatient(NO_STORE, -1.0)
    with pytest.raises(DeadlineExceeded):
        report.check()
    with pytest.raises(FailedPrecondition, match="7 measurements wait") as caught:
        report.waiting(BUSY)
    assert caught.value.reason == "DEVICE_BUSY"
