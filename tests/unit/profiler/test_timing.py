"""The measuring loop on a clock of the test's own: what stops it, what is repeated, what is marked."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from services.profiler import timing
from services.profiler.stopping import StopRule, stable

MS = 1_000_000


class Device:
    """Runs take the latencies given, in milliseconds, on a clock that only runs move; those that are `stolen` are
    interrupted."""

    def __init__(self, latencies_ms, stolen=()):
        self.latencies_ms, self.stolen = iter(latencies_ms), iter(stolen)
        self.interruptions = 0
        self.now_ns = 0
        self.runs = 0

    def run(self):
        self.runs += 1
        self.now_ns += round(next(self.latencies_ms) * MS)
        self.interruptions += int(next(self.stolen, False))

    def clock_ns(self):
        return self.now_ns

    def preemptions(self):
        return self.interruptions


def take_series(device, rule):
    return timing.take_series(device.run, rule, device.clock_ns, device.preemptions)


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
    assert take_series(device, rule()).samples_ms.tolist() == [1.0] * 10


def test_runs_until_the_time_is_over_as_well():
    device = Device(itertools.repeat(1.0))
    samples = take_series(device, rule(min_time_ms=100.0)).samples_ms
    assert 100 <= samples.sum() <= 130


def test_a_noisy_device_runs_until_the_interval_is_narrow():
    noise = np.random.default_rng(0).normal(10, 0.5, 5000)
    device = Device(noise)
    samples = take_series(device, rule(max_runs=5000)).samples_ms
    assert 30 < len(samples) < 2000
    np.testing.assert_allclose(samples, noise[: len(samples)], atol=1e-5)


def test_hard_caps_on_runs_and_time():
    noise = np.random.default_rng(0).uniform(1, 10, 5000)
    device = Device(noise)
    assert len(take_series(device, rule(max_runs=50)).samples_ms) == 50
    device = Device(noise)
    assert 100 <= take_series(device, rule(max_time_ms=100.0)).samples_ms.sum() <= 110
    device = Device(itertools.repeat(1000.0))
    assert len(take_series(device, rule(max_time_ms=2500.0)).samples_ms) == 3


def test_patience_ends_what_does_not_settle_but_not_before_the_fewest_runs():
    device = Device(np.random.default_rng(0).uniform(1, 10, 5000))
    samples = take_series(device, rule(patience_ms=200.0, relative_ci_width=0.001)).samples_ms
    assert 200 <= samples.sum() <= 280
    device = Device(itertools.cycle([1000.0, 2000.0]))
    assert len(take_series(device, rule(patience_ms=200.0)).samples_ms) == 10


def test_runs_that_the_system_interrupts_are_left_out():
    """A busy machine: three of four runs lose their processor for a while, and the network is as fast as ever."""
    rng = np.random.default_rng(0)
    stolen = rng.random(5000) < 0.75
    quiet = rng.normal(4.0, 0.02, 5000)
    device = Device(quiet + stolen * rng.exponential(4.0, 5000), stolen)
    series = take_series(device, rule(min_runs=30, min_time_ms=100.0))
    assert abs(np.median(series.samples_ms) / 4.0 - 1) < 0.005
    assert series.samples_ms.max() < 4.1
    assert 30 <= len(series.samples_ms) < 60
    assert series.preempted == device.runs - len(series.samples_ms) > 60


def test_where_nearly_every_run_is_interrupted_all_count():
    stolen = [True] * 28 + [False] * 2
    device = Device(np.linspace(500.0, 530.0, 1000), itertools.cycle(stolen))
    series = take_series(device, rule(min_runs=30, patience_ms=2000.0))
    assert (len(series.samples_ms), series.preempted) == (30, 0)
    device = Device([7.0], [True])
    assert take_series(device, rule(min_runs=1, max_runs=1)).samples_ms.tolist() == [7.0]


def whole(device, max_repeats, budget_ms=1e9, **changed):
    cooled = []
    found = timing.measure(
        device.run,
        rule(**changed),
        warmup_runs=3,
        max_repeats=max_repeats,
        budget_ms=budget_ms,
        cool_down=cooled.append,
        clock_ns=device.clock_ns,
        preemptions=device.preemptions,
    )
    return found, cooled


def test_warm_up_is_not_counted():
    found, cooled = whole(Device([50, 50, 50, *[1.0] * 500]), 2)
    assert found.samples_ms.max() == 1.0
    assert (found.attempts, found.unstable, cooled) == (1, False, [])


def test_a_drifting_series_is_repeated_after_a_cool_down():
    throttling = np.linspace(1.0, 1.5, 10)
    found, cooled = whole(Device([1, 1, 1, *throttling, 1, 1, 1, *[1.0] * 500]), 2, max_runs=10)
    assert (found.attempts, found.unstable, cooled) == (2, False, [1])
    assert found.samples_ms.tolist() == [1.0] * 10


def test_what_never_settles_is_marked_and_the_calmest_series_kept():
    wild, calmer = np.tile([1.0, 3.0], 5), np.tile([1.0, 1.3], 5)
    device = Device([1, 1, 1, *wild, 1, 1, 1, *calmer, 1, 1, 1, *wild])
    found, cooled = whole(device, 2, max_runs=10)
    assert (found.attempts, found.unstable, cooled) == (3, True, [1, 2])
    np.testing.assert_allclose(found.samples_ms, calmer)


@pytest.mark.parametrize(("undisturbed", "unstable"), [(9, True), (15, False), (29, False)])
def test_a_few_undisturbed_runs_that_agree_are_not_trusted(undisturbed, unstable):
    """More than half of what was asked for is: a machine may do other work beside."""
    stolen = [False] * undisturbed + [True] * (30 - undisturbed)
    device = Device([1, 1, 1, *[50.0] * undisturbed, *[70.0] * 90], [False] * 3 + stolen)
    found, _ = whole(device, 0, min_runs=30, max_runs=30)
    assert (found.samples_ms.tolist(), found.unstable) == ([50.0] * undisturbed, unstable)


def test_of_unstable_series_one_with_many_runs_is_kept():
    few, many = [50.0] * 3 + [70.0] * 7, np.tile([1.0, 1.3], 5)
    device = Device([1, 1, 1, *few, 1, 1, 1, *many], [False] * 6 + [True] * 7)
    found, _ = whole(device, 1, max_runs=10)
    np.testing.assert_allclose(found.samples_ms, many)
    assert found.unstable


def test_no_repeat_begins_that_would_not_fit():
    wild = [1, 1, 1, *np.tile([1.0, 3.0], 5)]  # 23 ms a series
    found, cooled = whole(Device(wild * 5), 4, budget_ms=50.0, max_runs=10)
    assert (found.attempts, found.unstable, cooled) == (2, True, [1])


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
