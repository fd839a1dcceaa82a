"""A library as the searcher's functions and tables: costs of networks, (N, M) tables of options."""

from __future__ import annotations

import numpy as np

from donna.space import Library
from services.searcher.distribution import Range, max_range, sum_range
from services.searcher.exact import Term
from services.searcher.metric import Metric

_FIELDS = {"model_bytes": "weight_bytes"}
"""Metrics whose name differs from the library's."""

PEAK = "activation_bytes"
"""The metric that is a maximum over the parts; the others are sums."""


def cost_table(library: Library, name: str) -> np.ndarray:
    """(N, M) costs of single options, padded with NaN; `name` is one of metric.COSTS."""
    return library.cost_table(_FIELDS.get(name, name))


def cost(library: Library, X: np.ndarray, name: str) -> np.ndarray:
    """(A,) costs of whole networks."""
    return library.costs(X, _FIELDS.get(name, name))


def cost_range(library: Library, name: str, generator: np.random.Generator) -> Range:
    """Smallest, median and largest cost of the space."""
    table, fixed = cost_table(library, name), _fixed(library, name)
    return max_range(table, fixed) if name == PEAK else sum_range(table, fixed, generator)


def cost_term(library: Library, name: str) -> Term:
    """The cost as a term of the exact front."""
    return Term(
        metric=Metric(name=name),
        table=cost_table(library, name),
        offset=_fixed(library, name),
        maximum=name == PEAK,
    )


def _fixed(library: Library, name: str) -> float:
    ends = [float(getattr(part, _FIELDS.get(name, name))) for part in (library.stem, library.head)]
    return max(ends) if name == PEAK else sum(ends)
