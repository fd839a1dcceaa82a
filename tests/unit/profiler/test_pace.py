"""A canary between the runs, on a clock of the test's own: what it takes out of a latency, and what it costs."""

from __future__ import annotations

import numpy as np
import pytest

from services.profiler import timing
from services.profiler.stopping import StopRule

NETWORK_MS, CANARY_MS = 4.0, 0.5


class Shared:
    """A machine whose pace, `pace(ms)`, changes while the clock goes on."""

    def __init__(self, pace):
        self.pace, self.now_ms, self.canaries = pace, 0.0, 0

    def run(self):
        self.now_ms += NETWORK_MS * self.pace(self.now_ms)

    def canary(self):
        self.canaries += 1
        self.now_ms += CANARY_MS * self.pace(self.now_ms)

    def clock_ns(self):
        return round(self.now_ms * 1e6)


def rule(**changed):
    told = {
        "min_runs": 30,
        "max_runs": 5000,
        "min_time_ms": 100.0,
        "max_time_ms": 1e9,
        "patience_ms": 1e9,
        "relative_ci_width": 9.0,
    }
    return StopRule(**(told | changed))


def series(device, found=None):
    return timing.take_series(device.run, found or rule(), device.clock_ns, lambda: 0, device.canary)


@pytest.mark.parametrize(
    "pace",
    [
        lambda now_ms: 1.3,
        lambda now_ms: 1 + now_ms / 1000,
        lambda now_ms: 1.4 if now_ms // 50 % 3 else 1.0,
        lambda now_ms: 1.2 + 0.2 * np.sin(now_ms / 40),
    ],
    ids=["slow", "slower and slower", "by turns", "in waves"],
)
def test_runs_divided_by_the_canary_do_not_depend_on_the_pace(pace):
    found = series(Shared(pace))
    assert np.median(found.samples_ms) > 1.1 * NETWORK_MS
    assert found.canary_ms.shape == found.samples_ms.shape
    assert np.median(found.samples_ms / found.canary_ms) == pytest.approx(NETWORK_MS / CANARY_MS, rel=0.03)


def test_the_canary_of_a_run_is_that_around_its_window():
    device = Shared(lambda now_ms: 1.0 if now_ms < 100 else 2.0)
    found = series(device)
    changed = int(np.argmax(found.samples_ms > 1.5 * NETWORK_MS))
    around = round(20 / NETWORK_MS)  # two windows
    assert (found.canary_ms[: changed - around] == CANARY_MS).all()
    assert (found.canary_ms[changed + around :] == 2 * CANARY_MS).all()


def test_the_canary_takes_as_long_as_the_network_and_counts_for_the_caps_alone():
    device = Shared(lambda now_ms: 1.0)
    found = series(device, rule(min_runs=1))
    assert 100 <= found.samples_ms.sum() <= 125
    assert 100 <= device.canaries * CANARY_MS <= 150
    device = Shared(lambda now_ms: 1.0)
    series(device, rule(min_time_ms=1e6, max_time_ms=200.0))
    assert 200 <= device.now_ms <= 230


def test_what_is_left_out_is_left_out_of_both():
    device = Shared(lambda now_ms: 1.0)
    interruptions = iter(np.arange(10_000) // 5)  # it is looked at before and after each run
    found = timing.take_series(
        device.run, rule(), device.clock_ns, lambda: next(interruptions), device.canary
    )
    assert found.preempted > 0
    assert found.canary_ms.shape == found.samples_ms.shape


def test_without_a_canary_there_is_no_pace():
    device = Shared(lambda now_ms: 1.0)
    found = timing.take_series(device.run, rule(), device.clock_ns, lambda: 0)
    assert (found.canary_ms.size, device.canaries) == (0, 0)
