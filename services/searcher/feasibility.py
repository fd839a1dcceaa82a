"""The space against the bounds, before any search: can each bound be met at all?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from donna.errors import FailedPrecondition, Violation
from services.searcher.distribution import Range
from services.searcher.metric import Bound, Metric


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


def check(rows: Sequence[Row]) -> None:
    """Raises FailedPrecondition, with the figures, for the first bound that provably no network meets."""
    for row in rows:
        for bound in row.bounds:
            if not bound.allows(*row.range.limits):
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
