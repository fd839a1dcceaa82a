"""The pace of the device in the course of a series: a canary runs for a while between windows of runs. A device that is
slowed down, by its temperature or by neighbours on the same machine, slows both alike. The clock comes from outside."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

WINDOW_MS = 10.0
"""Of runs between two looks at the canary, and of the canary at each look. `python -m bench.pace` compares the ways:
one look before and after a whole series says little of the pace within it, and in turns of single runs the caches are
filled anew each time."""


class Pace:
    """The canary's latency around each run of one series; of no use without a canary."""

    def __init__(self, canary: Callable[[], object] | None, clock_ns: Callable[[], int]) -> None:
        self._canary = canary
        self._clock_ns = clock_ns
        self._medians_ms: list[float] = []
        self._runs_before: list[int] = []
        self._window_began_ns = 0
        self.spent_ms = 0.0

    def keep(self, runs: int) -> None:
        """Looks at the canary at the beginning of a series and when a window is over; `runs` have been made so far."""
        over_ns = self._window_began_ns + WINDOW_MS * 1e6
        if self._canary is not None and (not self._medians_ms or self._clock_ns() >= over_ns):
            self._look(self._canary, runs)

    def around(self, runs: int) -> np.ndarray:
        """(runs,) The canary's latency in milliseconds around each run, the mean of the looks before and after its
        window, after a last look; (0,) without a canary."""
        if self._canary is None:
            return np.empty(0)
        self._look(self._canary, runs)
        medians_ms = np.array(self._medians_ms)
        around_ms = (medians_ms[:-1] + medians_ms[1:]) / 2
        return np.repeat(around_ms, np.diff(self._runs_before))

    def _look(self, canary: Callable[[], object], runs: int) -> None:
        taken_ms: list[float] = []
        before = start = self._clock_ns()
        while not taken_ms or before - start < WINDOW_MS * 1e6:
            canary()
            after = self._clock_ns()
            taken_ms.append((after - before) / 1e6)
            before = after
        self._medians_ms.append(float(np.median(taken_ms)))
        self._runs_before.append(runs)
        self.spent_ms += (before - start) / 1e6
        self._window_began_ns = before
