"""When a measurement has seen enough. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.profiler.statistics import Summary, median_interval, summarise

MAX_VARIATION = 0.10
MAX_DRIFT = 0.05
GROWTH = 1.25
"""Runs between two looks at the interval grow by this factor: a look sorts all samples, and too many looks would
stop at a lucky one."""


@dataclass(frozen=True, kw_only=True)
class StopRule:
    """Stop after `min_runs` runs and `min_time_ms` of them, as soon as the median's confidence interval is
    narrower than `relative_ci_width` of it. A device that does not settle is given up with `min_runs` runs after
    `patience_ms`; in any case it ends after `max_runs` or `max_time_ms`."""

    min_runs: int
    max_runs: int
    min_time_ms: float
    max_time_ms: float
    patience_ms: float
    relative_ci_width: float

    def capped(self, runs: int, elapsed_ms: float) -> bool:
        """Whether a cap is reached."""
        tired = runs >= self.min_runs and elapsed_ms >= self.patience_ms
        return tired or runs >= self.max_runs or elapsed_ms >= self.max_time_ms

    def settled(self, samples_ms: np.ndarray, elapsed_ms: float) -> bool:
        """Whether `samples_ms`, taken in `elapsed_ms` altogether, are enough."""
        if len(samples_ms) < self.min_runs or elapsed_ms < self.min_time_ms:
            return False
        low, high = median_interval(samples_ms)
        return high - low <= self.relative_ci_width * float(np.median(samples_ms))

    def next_look(self, runs: int) -> int:
        """After how many runs to ask `settled` again."""
        return min(self.max_runs, max(self.min_runs, int(runs * GROWTH) + 1))


def stable(samples_ms: np.ndarray, relative_ci_width: float) -> bool:
    """Whether the figures can be trusted: a narrow interval, little variation, no drift.

    The interval may be twice as wide as asked for: what was stopped by the cap just short of its goal is not
    worth a repeat.
    """
    summary: Summary = summarise(samples_ms)
    return (
        summary.relative_ci_width <= 2 * relative_ci_width
        and summary.variation <= MAX_VARIATION
        and abs(summary.drift) <= MAX_DRIFT
    )


def next_series(samples_ms: np.ndarray, rule: StopRule) -> int:
    """How many runs the next whole series should have where a device cannot be asked after every run; no more
    than `samples_ms` has when that was enough.

    The interval narrows with the square root of the runs, so the runs grow with the square of what is lacking.
    """
    runs, elapsed_ms = len(samples_ms), float(samples_ms.sum())
    if rule.capped(runs, elapsed_ms) or rule.settled(samples_ms, elapsed_ms):
        return runs
    low, high = median_interval(samples_ms)
    lacking = (high - low) / (rule.relative_ci_width * float(np.median(samples_ms)))
    by_width = runs * min(max(lacking, 1.0) ** 2, 10.0)
    mean_ms = elapsed_ms / runs
    by_time = rule.min_time_ms / mean_ms
    return int(min(max(by_width, by_time, runs + 1), rule.max_runs, max(runs, rule.max_time_ms / mean_ms)))
