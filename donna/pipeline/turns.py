"""Latencies that are compared with each other are taken in turns: a device that changes its pace in between
changes it for all of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

ROUNDS = 5
"""The smallest and the largest of five medians enclose the true one in 1 - 2 / 2^5, about 94 %, of cases."""

FAR_APART = 0.10
"""Rounds that differ by more than this share of their median were not taken from one steady device."""


@dataclass(frozen=True, kw_only=True)
class Latency:
    """The medians of one model's rounds, in the order taken, and in how many of them the device settled."""

    rounds_ms: tuple[float, ...]
    num_settled: int

    @classmethod
    def of(cls, rounds: Sequence[Any]) -> Latency:
        """From the profiler's figures of each round."""
        return cls(
            rounds_ms=tuple(figures.steady_ms for figures in rounds),
            num_settled=sum(not figures.unstable for figures in rounds),
        )

    @property
    def median_ms(self) -> float:
        """The median of the rounds."""
        return median(self.rounds_ms)

    @property
    def interval_ms(self) -> tuple[float, float]:
        """The smallest and the largest round."""
        return min(self.rounds_ms), max(self.rounds_ms)

    @property
    def unstable(self) -> bool:
        """Whether most rounds did not settle, or were far apart."""
        low, high = self.interval_ms
        return self.num_settled * 2 < len(self.rounds_ms) or high - low > FAR_APART * self.median_ms


def speedup(reference_ms: Sequence[float], model_ms: Sequence[float]) -> float:
    """How many times as fast as the reference a model is: the median of the ratios, round by round."""
    return median(r / m for r, m in zip(reference_ms, model_ms, strict=True))
