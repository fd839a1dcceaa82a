"""Which networks of a front are worth finetuning: the most accurate, and those that keep most of its hypervolume."""

from __future__ import annotations

from collections.abc import Sequence

Point = tuple[float, ...]
"""Accuracy, which is to be large, and then the costs, which are to be small."""


def choose_winners(points: Sequence[Point], count: int, budget: Sequence[float | None] = ()) -> list[int]:
    """Indices of up to `count` points, cheapest by the first cost first.

    All values are scaled to [0, 1] over the front; the reference point lies a tenth outside, so that the ends of the
    front count. The most accurate is one of them: a network as good as the reference is what most are after, and the
    end of a front adds little volume. The others are a greedy choice by gained hypervolume over accuracy and all costs,
    which is submodular, so that greed comes within 1 - 1/e of the best that they can add [choice].
    Points that cost more in every respect than `budget`, what the reference costs as far as that is known, are left
    out as long as `count` others remain.
    One of less than half the best accuracy is never chosen: a network of skipped blocks is on every front, since
    nothing is cheaper, and of no use to anybody [choice].
    """
    best = max((point[0] for point in points), default=0.0)
    useful = [i for i, point in enumerate(points) if point[0] >= best / 2]
    within = [i for i in useful if _within(points[i], budget)]
    if len(within) < min(count, len(useful)):
        within = useful
    chosen = _greedy([points[i] for i in within], count)
    return sorted((within[i] for i in chosen), key=lambda i: points[i][1:2])


def _within(point: Point, budget: Sequence[float | None]) -> bool:
    known = [(cost, most) for cost, most in zip(point[1:], budget, strict=False) if most is not None]
    return not known or any(cost <= most for cost, most in known)


def _greedy(points: Sequence[Point], count: int) -> list[int]:
    gains = _scaled([(point[0], *(-cost for cost in point[1:])) for point in points])
    chosen = [max(range(len(points)), key=lambda i: (points[i][0], -i))][:count] if points else []
    while len(chosen) < min(count, len(points)):
        rest = [i for i in range(len(points)) if i not in chosen]
        chosen.append(max(rest, key=lambda i: (volume([gains[j] for j in [*chosen, i]]), -i)))
    return chosen


def _scaled(points: Sequence[Point]) -> list[Point]:
    """Each coordinate to [0.1, 1.1]: 0 is the reference point."""
    ends = [(min(values), max(values)) for values in zip(*points, strict=True)]
    return [
        tuple(
            0.1 + (v - low) / (high - low) if high > low else 1.1
            for v, (low, high) in zip(point, ends, strict=True)
        )
        for point in points
    ]


def volume(points: Sequence[Point]) -> float:
    """What points of positive coordinates dominate above the origin, by slices along the last coordinate."""
    if len(points[0]) == 1:
        return max(point[0] for point in points)
    total = 0.0
    ordered = sorted(points, key=lambda point: -point[-1])
    for number, point in enumerate(ordered, start=1):
        below = ordered[number][-1] if number < len(ordered) else 0.0
        if point[-1] > below:
            total += (point[-1] - below) * volume([p[:-1] for p in ordered[:number]])
    return total
