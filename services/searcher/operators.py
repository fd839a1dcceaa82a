"""Sampling, crossover and mutation of choice vectors: integers whose order means nothing by itself.

X is (A, N) int64; `num_options` (N,) holds M_n. Every function draws from the generator that it is given.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def uniform_sample(count: int, num_options: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """(count, N) architectures, uniform over the space; repetitions are possible."""
    return generator.integers(0, num_options, size=(count, len(num_options)), dtype=np.int64)


def exchange(parents: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Uniform crossover: (2, A, N) parents -> (2, A, N) children; each block comes from either parent."""
    swap = generator.random(parents.shape[1:]) < 0.5
    return np.stack([np.where(swap, parents[1], parents[0]), np.where(swap, parents[0], parents[1])])


def mutate(
    X: np.ndarray,
    num_options: np.ndarray,
    generator: np.random.Generator,
    orders: Sequence[tuple[np.ndarray, np.ndarray]] = (),
) -> np.ndarray:
    """Changes each block with probability 1/N, half the time to any other option and half to a near one.

    A near one is the next option up or down in one of the `orders`: (N, M) arrays (ranking, rank), where
    `ranking[n]` lists block n's options by a cost or by quality and `rank[n]` is its inverse. Small steps
    polish a front, far ones keep the search from getting stuck.
    """
    A, N = X.shape
    change = generator.random((A, N)) < 1.0 / N
    # An offset of 1..M_n-1 around the ring of options is any other option, each as likely.
    offset = 1 + np.floor(generator.random((A, N)) * np.maximum(num_options - 1, 1)).astype(np.int64)
    far = (X + offset) % num_options
    if not orders:
        return np.where(change, far, X)
    near = X
    which = generator.integers(0, len(orders), size=(A, N))
    step = np.where(generator.random((A, N)) < 0.5, -1, 1)
    blocks = np.broadcast_to(np.arange(N), (A, N))
    for k, (ranking, rank) in enumerate(orders):
        target = np.clip(rank[blocks, X] + step, 0, num_options - 1)
        near = np.where(which == k, ranking[blocks, target], near)
    return np.where(change, np.where(generator.random((A, N)) < 0.5, near, far), X)


def order_of(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(ranking, rank) of an (N, M) table of costs or qualities, padded with NaN, for `mutate`."""
    ranking = np.argsort(table, axis=1, kind="stable")  # NaN sorts last, so it is never reached
    return ranking, np.argsort(ranking, axis=1, kind="stable")


def extremes(tables: Sequence[np.ndarray]) -> np.ndarray:
    """(E, N) distinct architectures that take the smallest entry of every block, one for each (N, M) table.

    Ends of the front are the hardest to find by chance: with N blocks of M options, 1 in M**N.
    """
    if not tables:
        return np.zeros((0, 0), dtype=np.int64)
    every = np.stack([np.nanargmin(table, axis=1) for table in tables]).astype(np.int64)
    return distinct(every)


def distinct(X: np.ndarray) -> np.ndarray:
    """The rows of X without repetitions, in order."""
    return X[np.sort(np.unique(X, axis=0, return_index=True)[1])]
