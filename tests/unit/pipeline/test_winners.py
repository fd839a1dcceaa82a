"""The choice of winners against brute force."""

from __future__ import annotations

import itertools
import random

from donna.pipeline.winners import choose_winners, volume


def area(points: list[tuple[float, float]], all_points: list[tuple[float, float]]) -> float:
    """Hypervolume by inclusion-exclusion over the scaled points."""
    accuracies, costs = [a for a, _ in all_points], [c for _, c in all_points]

    def scaled(value: float, low: float, high: float) -> float:
        return 0.1 + (value - low) / (high - low)

    corners = [
        (scaled(a, min(accuracies), max(accuracies)), scaled(-c, -max(costs), -min(costs))) for a, c in points
    ]
    total = 0.0
    for size in range(1, len(corners) + 1):
        for subset in itertools.combinations(corners, size):
            total += (-1) ** (size + 1) * min(x for x, _ in subset) * min(y for _, y in subset)
    return total


def test_greedy_choice_keeps_its_promised_share_of_the_best() -> None:
    generator = random.Random(0)
    for _ in range(30):
        cost = sorted(generator.uniform(1, 5) for _ in range(8))
        accuracy = sorted(generator.uniform(0.8, 0.99) for _ in range(8))
        points = list(zip(accuracy, cost, strict=True))
        chosen = choose_winners(points, 3)
        best = max(area([points[i] for i in s], points) for s in itertools.combinations(range(8), 3))
        assert len(set(chosen)) == 3
        assert accuracy.index(max(accuracy)) in chosen
        assert area([points[i] for i in chosen], points) >= (1 - 1 / 2.718281828) * best
        assert [points[i][1] for i in chosen] == sorted(points[i][1] for i in chosen)


def test_with_several_devices_each_counts() -> None:
    """Fast on one device, fast on the other, and accurate: chosen by the first latency alone, the second would go."""
    points = [(0.90, 1.0, 9.0), (0.90, 9.0, 1.0), (0.91, 1.2, 8.8), (0.97, 8.0, 8.0)]
    assert 1 not in choose_winners([point[:2] for point in points], 3)
    assert choose_winners(points, 3) == [2, 3, 1]
    within_one = [(0.97, 1.0, 8.6), (0.95, 8.4, 8.0), (0.99, 9.0, 9.0)]
    assert choose_winners(within_one, 1, budget=(8.5, 8.5)) == [0]  # the last one costs more in both
    assert choose_winners(within_one[1:], 1, budget=(8.5, 8.5)) == [0]
    assert choose_winners(points, 2, budget=(2.0, None)) == [0, 2]
    assert choose_winners([(0.9,), (0.8,)], 1) == [0]


def test_the_volume_is_that_of_counted_cells() -> None:
    generator = random.Random(1)
    for dimensions in (1, 2, 3, 4):
        points = [tuple(float(generator.randint(1, 5)) for _ in range(dimensions)) for _ in range(6)]
        cells = itertools.product(range(5), repeat=dimensions)
        counted = sum(any(all(c < v for c, v in zip(cell, p, strict=True)) for p in points) for cell in cells)
        assert volume(points) == counted


def test_few_points_are_all_chosen() -> None:
    assert choose_winners([], 3) == []
    assert choose_winners([(0.9, 1.0)], 3) == [0]
    assert choose_winners([(0.9, 2.0), (0.8, 1.0)], 3) == [1, 0]


def test_networks_that_cost_more_than_the_reference_are_left_out_while_others_remain() -> None:
    points = [(0.90, 1.0), (0.95, 2.0), (0.96, 3.0), (0.99, 9.0)]
    assert choose_winners(points, 3, budget=[3.0]) == [0, 1, 2]
    assert choose_winners(points, 2, budget=[2.0]) == [0, 1]
    assert 3 in choose_winners(points, 4, budget=[3.0])
    assert choose_winners(points, 3, budget=[0.5]) == choose_winners(points, 3)


def test_a_network_that_has_hardly_learnt_anything_is_no_winner_however_cheap() -> None:
    points = [(0.11, 0.01), (0.93, 1.0), (0.97, 2.0)]
    assert choose_winners(points, 3) == [1, 2]
    assert choose_winners(points, 3, budget=[0.5]) == [1, 2]
    assert choose_winners([(0.11, 0.01)], 3) == [0]
