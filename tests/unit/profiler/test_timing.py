"""The measuring loop on a clock of the test's own: what stops it, what is repeated, what is marked."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from services.profiler.stopping import StopRule, stable
from services.profiler.timing import measure, take_series

MS = 1_000_000


class Device:
    """Runs take the latencies given, in milliseconds, on a clock that only runs move."""

    def __init__(self, latencies_ms):
        self.latencies_ms = iter(latencies_ms)
        self.now_ns = 0
        self.runs = 0

    def run(self):
        self.runs += 1
        self.now_ns += round(next(self.latencies_ms) * MS)

    def clock_ns(self):
        return self.now_ns


def rule(**changed):
    told = {
        "min_runs": 10,
        "max_runs": 400,
        "min_time_ms": 0.0,
        "max_time_ms": 1e9,
        "patience_ms": 1e9,
        "relative_ci_width": 0.02,
    }
    return StopRule(**(told | changed))


def test_a_calm_device_stops_at_the_fewest_runs():
    device = Device(itertools.repeat(1.0))
    assert take_series(device.run, rule(), device.clock_ns).tolist() == [1.0] * 10


def test_runs_until_the_time_is_over_as_well():
    device = Device(itertools.repeat(1.0))
    samples = take_series(device.run, rule(min_time_ms=100.0), device.clock_ns)
    assert 100 <= samples.sum() <= 130


def test_a_noisy_device_runs_until_the_interval_is_narrow():
    noise = np.random.default_rng(0).normal(10, 0.5, 5000)
    device = Device(noise)
    samples = take_series(device.run, rule(max_runs=5000), device.clock_ns)
    assert 30 < len(samples) < 2000
    np.testing.assert_allclose(samples, noise[: len(samples)], atol=1e-5)


def test_hard_caps_on_runs_and_time():
    noise = np.random.default_rng(0).uniform(1, 10, 5000)
    device = Device(noise)
    assert len(take_series(device.run, rule(max_runs=50), device.clock_ns)) == 50
    device = Device(noise)
    assert 100 <= take_series(device.run, rule(max_time_ms=100.0), device.clock_ns).sum() <= 110
    device = Device(itertools.repeat(1000.0))
    assert len(take_series(device.run, rule(max_time_ms=2500.0), device.clock_ns)) == 3


def test_patience_ends_what_does_not_settle_but_not_before_the_fewest_runs():
    device = Device(np.random.default_rng(0).uniform(1, 10, 5000))
    samples = take_series(device.run, rule(patience_ms=200.0, relative_ci_width=0.001), device.clock_ns)
    assert 200 <= samples.sum() <= 280
    device = Device(itertools.cycle([1000.0, 2000.0]))
    assert len(take_series(device.run, rule(patience_ms=200.0), device.clock_ns)) == 10


def whole(device, max_repeats, budget_ms=1e9, **changed):
    cooled = []
    timing = measure(
        device.run,
        rule(**changed),
        warmup_runs=3,
        max_repeats=max_repeats,
        budget_ms=budget_ms,
        cool_down=cooled.append,
        clock_ns=device.clock_ns,
    )
    return timing, cooled


def test_warm_up_is_not_counted():
    timing, cooled = whole(Device([50, 50, 50, *[1.0] * 500]), 2)
    assert timing.samples_ms.max() == 1.0
    assert (timing.attempts, timing.unstable, cooled) == (1, False, [])


def test_a_drifting_series_is_repeated_after_a_cool_down():
    throttling = np.linspace(1.0, 1.5, 10)
    timing, cooled = whole(Device([1, 1, 1, *throttling, 1, 1, 1, *[1.0] * 500]), 2, max_runs=10)
    assert (timing.attempts, timing.unstable, cooled) == (2, False, [1])
    assert timing.samples_ms.tolist() == [1.0] * 10


def test_what_never_settles_is_marked_and_the_calmest_series_kept():
    wild, calmer = np.tile([1.0, 3.0], 5), np.tile([1.0, 1.3], 5)
    device = Device([1, 1, 1, *wild, 1, 1, 1, *calmer, 1, 1, 1, *wild])
    timing, cooled = whole(device, 2, max_runs=10)
    assert (timing.attempts, timing.unstable, cooled) == (3, True, [1, 2])
    np.testing.assert_allclose(timing.samples_ms, calmer)


def test_no_repeat_begins_that_would_not_fit():
    wild = [1, 1, 1, *np.tile([1.0, 3.0], 5)]  # 23 ms a series
    timing, cooled = whole(Device(wild * 5), 4, budget_ms=50.0, max_runs=10)
    assert (timing.attempts, timing.unstable, cooled) == (2, True, [1])


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.full(100, 1.0), True),
        (np.random.default_rng(0).normal(1, 0.3, 10_000), False),  # varies
        (np.linspace(1.0, 1.12, 3000), False),  # drifts
        (np.random.default_rng(0).uniform(0.9, 1.1, 12), False),  # too few to know
    ],
)
def test_stable(samples, expected):
    assert stable(samples, 0.02) is expected
