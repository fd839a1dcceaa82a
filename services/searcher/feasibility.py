"""The space against the bounds, before any search: can each bound be met at all?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from donna.errors import FailedPrecondition, Violation
from services.searcher.distribution import Range
from services.searcher.metric import LATENCY_MS, Bound, Metric


@dataclass(frozen=True, kw_only=True)
class Row:
    """One metric over the whole space, and whether its bounds (if any) can be met one by one."""

    metric: Metric
    range: Range
    bounds: tuple[Bound, ...] = ()

    @property
    def feasible(self) -> bool:
        """False when a bound is out of reach; true where that is not certain."""
        return all(bound.allows(*self.range.limits) for bound in self.bounds)

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
    """Raises FailedPrecondition, with the figures, for the first bound that no network meets."""
    for row in rows:
        for bound in row.bounds:
            if not bound.allows(*row.range.limits):
                raise _unmet(bound, row.range)


def _unmet(bound: Bound, found: Range) -> FailedPrecondition:
    figures = {"smallest": found.smallest, "median": found.median, "largest": found.largest}
    if bound.metric.name == LATENCY_MS:
        what = (
            f"the smallest one takes {found.smallest:.6g} ms on {bound.metric.device}, the median of those measured "
            f"{found.median:.6g} ms, the largest {found.largest:.6g} ms"
        )
    else:
        listed = ", ".join(f"{name} {value:.6g}" for name, value in figures.items())
        what = f"the space has {'' if found.exact else 'about '}{listed}"
    message = f"no network of the space meets the bound {bound}: {what}"
    return FailedPrecondition(
        message,
        reason="BOUND_UNREACHABLE",
        violations=[Violation(field=f"bounds[{bound.metric}]", description=message)],
        metadata={
            "metric": str(bound.metric),
            "bound": str(bound),
            **{name: f"{value:.9g}" for name, value in figures.items()},
        },
    )
