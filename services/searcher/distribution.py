"""How a cost is distributed over the whole space, exactly: no architecture is ever listed.

A cost is a table (N, M), padded with NaN, plus what stem and head cost. Sums are convolved block by block;
a maximum needs counting only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MAX_SUPPORT, SAMPLES = 100_000, 30_001
"""Distinct partial sums that are carried; beyond that the median is an estimate from so many samples."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """Smallest, median and largest value over a space; `exact` says whether all three are. `limits` are proven: no
    network of the space lies outside of them."""

    smallest: float
    median: float
    largest: float
    exact: bool
    limits: tuple[float, float]


def sum_range(table: np.ndarray, offset: float, generator: np.random.Generator) -> Range:
    """Range of `offset` plus the sum of one entry for each row. The median is the lower one of an even count.

    Smallest and largest are always exact. When the partial sums are too many (no common grid), the
    median comes from SAMPLES uniform samples drawn from `generator`, and `exact` is False.
    """
    smallest = offset + float(np.nanmin(table, axis=1).sum())
    largest = offset + float(np.nanmax(table, axis=1).sum())
    values: np.ndarray = np.zeros(1)
    counts: np.ndarray = np.ones(1)
    for row in table:
        options, repeats = np.unique(row[~np.isnan(row)], return_counts=True)
        if len(values) * len(options) > MAX_SUPPORT:
            return Range(
                smallest=smallest,
                median=offset + _sampled(table, generator),
                largest=largest,
                exact=False,
                limits=(smallest, largest),
            )
        sums = (values[:, None] + options).ravel()
        values, where = np.unique(sums, return_inverse=True)
        counts = np.bincount(where, weights=(counts[:, None] * repeats).ravel())
    return Range(
        smallest=smallest,
        median=offset + _median(values, counts),
        largest=largest,
        exact=True,
        limits=(smallest, largest),
    )


def max_range(table: np.ndarray, floor: float) -> Range:
    """Range of the largest of `floor` and one entry for each row; exact."""
    known = [np.sort(row[~np.isnan(row)]) for row in table]
    values = np.unique(np.concatenate([*known, [floor]]))
    # P(maximum <= v) is the product over the blocks of the share of options that are <= v.
    shares = np.prod([np.searchsorted(row, values, side="right") / len(row) for row in known], axis=0)
    shares = np.where(values >= floor, shares, 0.0)
    reached = np.flatnonzero(shares > 0)[0]
    middle = np.flatnonzero(shares >= 0.5 - 1e-12)[0]
    smallest, largest = float(values[reached]), float(values[-1])
    return Range(
        smallest=smallest,
        median=float(values[middle]),
        largest=largest,
        exact=True,
        limits=(smallest, largest),
    )


def sampled_range(values: np.ndarray, *, exact: bool) -> Range:
    """Range of given values: of the whole space (`exact`) or of a sample of it."""
    ordered = np.sort(values)
    smallest, largest = float(ordered[0]), float(ordered[-1])
    return Range(
        smallest=smallest,
        median=float(ordered[(len(ordered) - 1) // 2]),
        largest=largest,
        exact=exact,
        limits=(smallest, largest) if exact else (-np.inf, np.inf),
    )


def _sampled(table: np.ndarray, generator: np.random.Generator) -> float:
    sums = np.zeros(SAMPLES)
    for row in table:
        options = row[~np.isnan(row)]
        sums += options[generator.integers(0, len(options), size=len(sums))]
    return float(np.sort(sums)[len(sums) // 2])


def _median(values: np.ndarray, counts: np.ndarray) -> float:
    cumulative = np.cumsum(counts)
    return float(values[np.searchsorted(cumulative, cumulative[-1] / 2 * (1 - 1e-12))])
