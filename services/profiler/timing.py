"""The measuring loop: warm-up, then runs until the rule is content. The clock comes from outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from services.profiler.statistics import summarise
from services.profiler.stopping import StopRule, stable


@dataclass(frozen=True, kw_only=True)
class Timing:
    """`samples_ms` (n,) in the order taken; `attempts` counts the series, the calmest of which this is."""

    samples_ms: np.ndarray
    attempts: int
    unstable: bool


def take_series(run: Callable[[], object], rule: StopRule, clock_ns: Callable[[], int]) -> np.ndarray:
    """Samples (n,) in milliseconds of one series of runs."""
    samples = np.empty(rule.max_runs, dtype=np.float64)
    runs, look, start = 0, rule.next_look(0), clock_ns()
    while True:
        while runs < look:
            before = clock_ns()
            run()
            after = clock_ns()
            samples[runs] = (after - before) / 1e6
            runs += 1
            if after - start >= rule.max_time_ms * 1e6:
                break
        elapsed_ms = (clock_ns() - start) / 1e6
        taken = samples[:runs]
        if rule.capped(runs, elapsed_ms) or rule.settled(taken, elapsed_ms):
            return taken.copy()
        look = rule.next_look(runs)


def measure(
    run: Callable[[], object],
    rule: StopRule,
    *,
    warmup_runs: int,
    max_repeats: int,
    budget_ms: float,
    cool_down: Callable[[int], None],
    clock_ns: Callable[[], int],
) -> Timing:
    """Warm-up, then a series; while it is not stable, a cool-down and another one, `max_repeats` times at most.

    `cool_down(attempt)` is called before each repeat. No repeat begins that would not fit into `budget_ms`: a
    shaky figure is worth more than none. When no series is stable, the calmest is returned, marked unstable.
    """
    start = clock_ns()
    for _ in range(warmup_runs):
        run()
    series = [take_series(run, rule, clock_ns)]
    while not stable(series[-1], rule.relative_ci_width) and len(series) <= max_repeats:
        spent_ms = (clock_ns() - start) / 1e6
        if spent_ms + spent_ms / len(series) > budget_ms:
            break
        cool_down(len(series))
        for _ in range(warmup_runs):
            run()
        series.append(take_series(run, rule, clock_ns))
    calm = stable(series[-1], rule.relative_ci_width)
    chosen = series[-1] if calm else min(series, key=_unrest)
    return Timing(samples_ms=chosen, attempts=len(series), unstable=not calm)


def _unrest(samples_ms: np.ndarray) -> float:
    summary = summarise(samples_ms)
    return summary.variation + abs(summary.drift) + summary.relative_ci_width
