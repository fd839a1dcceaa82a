"""Which rows belong to which part: seeded, disjoint, stratified by class."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from donna.errors import InvalidArgument


def stratified_order(labels: np.ndarray, seed: int) -> np.ndarray:
    """(S,) row numbers in an order of which every stretch holds the classes in nearly their shares.

    The rows of each class are shuffled and given the quantiles (i + 0.5) / size; sorting all rows by
    quantile interleaves the classes, so a stretch of n rows misses n * share by less than two rows.
    """
    rng = np.random.default_rng([seed, 0x5011])
    quantile = np.empty(len(labels))
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        quantile[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return np.lexsort((rng.permutation(len(labels)), quantile))


def split_rows(
    labels: np.ndarray, sizes: Mapping[str, int | float], seed: int, test_rows: np.ndarray | None
) -> dict[str, np.ndarray]:
    """The rows of each part of `sizes` (counts, or shares of the rows), sorted and disjoint.

    Where the publisher set `test_rows` apart, `test` is drawn from them and the other parts from the
    rest, and a share of `test` is a share of them (so 1.0 is the whole published test part). The parts
    are drawn test first, so a larger training part never takes rows out of the test part.

    Raises InvalidArgument when there are fewer rows than asked for.
    """
    labels = np.asarray(labels)
    every = np.arange(len(labels))
    pools: list[tuple[np.ndarray, tuple[str, ...]]]
    if test_rows is None:
        pools = [(every, ("test", "validation", "quality", "training"))]
    else:
        rest = np.setdiff1d(every, test_rows)
        pools = [(np.asarray(test_rows), ("test",)), (rest, ("validation", "quality", "training"))]
    parts: dict[str, np.ndarray] = {}
    for pool, names in pools:
        order = pool[stratified_order(labels[pool], seed)]
        counts = {name: _count(sizes[name], len(pool)) for name in names}
        if sum(counts.values()) > len(pool):
            asked = " + ".join(f"{counts[name]} {name}" for name in names)
            raise InvalidArgument.of("dataset.split", f"asks for {asked} images, there are {len(pool)}")
        start = 0
        for name in names:
            parts[name] = np.sort(order[start : start + counts[name]])
            start += counts[name]
    return parts


def _count(size: int | float, available: int) -> int:
    return int(size * available + 1e-9) if isinstance(size, float) else size
