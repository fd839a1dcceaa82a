"""Which networks of a front are worth finetuning: the few that keep most of its hypervolume. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def choose_winners(
    points: Sequence[tuple[float, float]], count: int, budget: float | None = None
) -> list[int]:
    """Indices of up to `count` points, cheapest first.

    `points` are (accuracy, cost) pairs: accuracy is to be large, cost small. Both are scaled to [0, 1] over the
    front; the reference point lies a tenth outside, so that the ends of the front count. Greedy choice by gained
    hypervolume, which is within 1 - 1/e of the best choice, since hypervolume is submodular [choice].
    Points that cost more than `budget`, the reference's cost, are left out as long as `count` others remain.
    One of less than half the best accuracy is never chosen: a network of skipped blocks is on every front, since
    nothing is cheaper, and of no use to anybody [choice].
    """
    best = max((accuracy for accuracy, _ in points), default=0.0)
    useful = [i for i, (accuracy, _) in enumerate(points) if accuracy >= best / 2]
    within = [i for i in useful if budget is None or points[i][1] <= budget]
    if len(within) < min(count, len(useful)):
        within = useful
    chosen = _greedy([points[i] for i in within], count)
    return sorted((within[i] for i in chosen), key=lambda i: points[i][1])


def _greedy(points: Sequence[tuple[float, float]], count: int) -> list[int]:
    if not points:
        return []
    gains, costs = _scaled([a for a, _ in points]), _scaled([-c for _, c in points])
    chosen: list[int] = []
    while len(chosen) < min(count, len(points)):
        rest = [i for i in range(len(points)) if i not in chosen]
        chosen.append(max(rest, key=lambda i: (_area([(gains[j], costs[j]) for j in [*chosen, i]]), -i)))
    return chosen


def _scaled(values: Sequence[float]) -> list[float]:
    """To [0.1, 1.1]: 0 is the reference point."""
    low, high = min(values), max(values)
    return [0.1 + (v - low) / (high - low) if high > low else 1.1 for v in values]


def _area(points: Sequence[tuple[float, float]]) -> float:
    """The area that the points dominate above (0, 0), both coordinates being better when larger."""
    area, best = 0.0, 0.0
    for x, y in sorted(points, reverse=True):
        if y > best:
            area += x * (y - best)
            best = y
    return area
