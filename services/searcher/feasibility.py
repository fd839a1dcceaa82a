"""The space against the bounds, before any search: can each bound be met at all?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from donna.errors import FailedPrecondition, Violation
from services.searcher.distribution import Range, sampled_range
from services.searcher.metric import Bound, Metric
from services.searcher.operators import uniform_sample

ENUMERABLE = 100_000
"""Spaces up to this size are evaluated in full."""

SAMPLES = 4_001
STARTS = 8


@dataclass(frozen=True, kw_only=True)
class Row:
    """One metric over the whole space, and whether its bounds (if any) can be met one by one."""

    metric: Metric
    range: Range
    bounds: tuple[Bound, ...] = ()

    @property
    def feasible(self) -> bool:
        """False when a bound lies outside the range."""
        return all(bound.allows(self.range.smallest, self.range.largest) for bound in self.bounds)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "metric": str(self.metric),
            "smallest": self.range.smallest,
            "median": self.range.median,
            "largest": self.range.largest,
            "estimated": not self.range.exact,
            "feasible": self.feasible,
            "bounds": [{"min": bound.minimum, "max": bound.maximum} for bound in self.bounds],
        }


def function_range(
    function: Callable[[np.ndarray], np.ndarray], num_options: Sequence[int], generator: np.random.Generator
) -> Range:
    """Range of any function of (A, N) choices: exact for spaces up to ENUMERABLE, else an estimate.

    The ends of a larger space are found by descent from the best of a uniform sample, swapping blocks until nothing
    gets better. For a first-order function that is exact too, for a second-order one nearly always; `exact` is False
    all the same.
    """
    counts = np.asarray(num_options)
    if np.prod(counts, dtype=float) <= ENUMERABLE:
        every = np.indices(tuple(int(count) for count in counts)).reshape(len(counts), -1).T
        return sampled_range(function(np.ascontiguousarray(every, dtype=np.int64)), exact=True)
    X = uniform_sample(SAMPLES, counts, generator)
    values = function(X)
    order = np.argsort(values, kind="stable")
    smallest = _descend(function, X[order[:STARTS]], counts)
    largest = -_descend(lambda rows: -function(rows), X[order[-STARTS:]], counts)
    return Range(smallest=smallest, median=float(values[order[SAMPLES // 2]]), largest=largest, exact=False)


def _descend(function: Callable[[np.ndarray], np.ndarray], starts: np.ndarray, counts: np.ndarray) -> float:
    """The smallest value that swapping blocks reaches from any of the starts (S, N).

    Every option of every block is tried at once, since a call may go to another process. Of a first-order function
    the best options of all blocks are best together; where they are not, the best single swap is taken.
    """
    N = len(counts)
    where = np.repeat(np.arange(N), counts)
    options = np.concatenate([np.arange(count) for count in counts])
    first = np.cumsum(counts) - counts
    X, values = starts, function(starts)
    while True:
        swaps = np.repeat(X[:, None, :], len(options), axis=1)
        swaps[:, np.arange(len(options)), where] = options
        swapped = function(swaps.reshape(-1, N)).reshape(len(X), -1)
        one = swaps[np.arange(len(X)), np.argmin(swapped, axis=1)]
        every = np.stack(
            [np.argmin(swapped[:, i : i + count], axis=1) for i, count in zip(first, counts, strict=True)],
            axis=1,
        )
        together, single = function(every), swapped.min(axis=1)
        X = np.where((together < single)[:, None], every, one)
        before, values = values, np.minimum(together, single)
        if not (values < before).any():
            return float(before.min())


def check(rows: Sequence[Row]) -> None:
    """Raises FailedPrecondition, with the figures, for the first bound that no network of the space meets."""
    for row in rows:
        for bound in row.bounds:
            if not bound.allows(row.range.smallest, row.range.largest):
                raise unmet(bound, row.range)


def unmet(bound: Bound, found: Range) -> FailedPrecondition:
    """The error for a bound that nothing meets: what was asked, and what the space has."""
    about = "" if found.exact else "about "
    figures = {"smallest": found.smallest, "median": found.median, "largest": found.largest}
    listed = ", ".join(f"{name} {value:.6g}" for name, value in figures.items())
    return _unreachable(
        bound, f"no network of the space meets the bound {bound}: the space has {about}{listed}", figures
    )


def too_slow(bound: Bound, smallest_ms: float) -> FailedPrecondition:
    """The error for a latency bound that the smallest network of the space breaks on the device."""
    return _unreachable(
        bound,
        f"no network of the space meets the bound {bound}: the smallest one takes {smallest_ms:.6g} ms on "
        f"{bound.metric.device}",
        {"smallest": smallest_ms},
    )


def _unreachable(bound: Bound, message: str, figures: Mapping[str, float]) -> FailedPrecondition:
    metadata = {name: f"{value:.9g}" for name, value in figures.items()}
    return FailedPrecondition(
        message,
        reason="BOUND_UNREACHABLE",
        violations=[Violation(field=f"bounds[{bound.metric}]", description=message)],
        metadata={"metric": str(bound.metric), "bound": str(bound), **metadata},
    )
