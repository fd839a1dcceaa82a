"""The measuring loop: warm-up, then runs until the rule is content. The clock comes from outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from services.profiler.pace import Pace
from services.profiler.statistics import summarise
from services.profiler.stopping import StopRule, stable

ENOUGH = 3
"""With so many undisturbed runs the disturbed ones are left out; fewer may be chance."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """`samples_ms` (n,) in the order taken; `preempted` runs are not among them. `canary_ms` (n,) is the canary's
    latency around each; (0,) without a canary."""

    samples_ms: np.ndarray
    canary_ms: np.ndarray
    preempted: int


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The calmest series, of `attempts`; arrays as in Series."""

    samples_ms: np.ndarray
    canary_ms: np.ndarray
    preempted: int
    attempts: int
    unstable: bool


def take_series(
    run: Callable[[], object],
    rule: StopRule,
    clock_ns: Callable[[], int],
    preemptions: Callable[[], int],
    canary: Callable[[], object] | None = None,
) -> Series:
    """One series of runs, with windows of the canary in between if there is one; its time counts for the caps alone.

    `preemptions` counts how often the system has taken a processor away from this process: a run during which that
    happens tells how busy the machine is, and not how fast the network. Such runs are left out, unless there are hardly
    any others, as on a machine where every run is longer than a turn.
    """
    samples, calm = np.empty(rule.max_runs, dtype=np.float64), np.zeros(rule.max_runs, dtype=bool)
    runs, undisturbed, look, start = 0, 0, rule.next_look(0), clock_ns()
    pace = Pace(canary, clock_ns)
    while True:
        pace.keep(runs)
        seen = preemptions()
        before = clock_ns()
        run()
        after = clock_ns()
        samples[runs], calm[runs] = (after - before) / 1e6, preemptions() == seen
        undisturbed += int(calm[runs])
        runs += 1
        elapsed_ms = (after - start) / 1e6
        if rule.capped(runs, elapsed_ms):
            break
        if undisturbed >= look:
            if rule.settled(samples[:runs][calm[:runs]], elapsed_ms - pace.spent_ms):
                break
            look = rule.next_look(undisturbed)
    if undisturbed < min(ENOUGH, rule.min_runs):
        calm[:runs], undisturbed = True, runs
    kept, around_ms = calm[:runs], pace.around(runs)
    return Series(
        samples_ms=samples[:runs][kept],
        canary_ms=around_ms[kept] if around_ms.size else around_ms,
        preempted=runs - undisturbed,
    )


def measure(
    run: Callable[[], object],
    rule: StopRule,
    *,
    warmup_runs: int,
    max_repeats: int,
    budget_ms: float,
    cool_down: Callable[[int], None],
    clock_ns: Callable[[], int],
    preemptions: Callable[[], int],
    canary: Callable[[], object] | None = None,
) -> Timing:
    """Warm-up, then a series; while it is not stable, a cool-down and another one, `max_repeats` times at most.

    `cool_down(attempt)` is called before each repeat. No repeat begins that would not fit into `budget_ms`: a
    shaky figure is worth more than none. When no series is stable, the calmest is returned, marked unstable. So is a
    series of fewer than `min_runs` undisturbed runs most of which were disturbed.
    """
    start = clock_ns()
    for _ in range(warmup_runs):
        run()
    series = [take_series(run, rule, clock_ns, preemptions, canary)]
    while not _trusted(series[-1], rule) and len(series) <= max_repeats:
        spent_ms = (clock_ns() - start) / 1e6
        if spent_ms + spent_ms / len(series) > budget_ms:
            break
        cool_down(len(series))
        for _ in range(warmup_runs):
            run()
        series.append(take_series(run, rule, clock_ns, preemptions, canary))
    calm = _trusted(series[-1], rule)
    chosen = series[-1] if calm else min(series, key=lambda each: (_few(each, rule), _unrest(each)))
    return Timing(
        samples_ms=chosen.samples_ms,
        canary_ms=chosen.canary_ms,
        preempted=chosen.preempted,
        attempts=len(series),
        unstable=not calm,
    )


def _trusted(series: Series, rule: StopRule) -> bool:
    return stable(series.samples_ms, rule.relative_ci_width) and not _few(series, rule)


def _few(series: Series, rule: StopRule) -> bool:
    """Whether it may be chance that its runs agree: they are fewer than asked for, and most were left out."""
    return len(series.samples_ms) < min(rule.min_runs, series.preempted)


def _unrest(series: Series) -> float:
    summary = summarise(series.samples_ms)
    return summary.variation + abs(summary.drift) + summary.relative_ci_width
